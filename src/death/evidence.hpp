#pragma once

#include "death/memory_limit.hpp"
#include "os/process.hpp"
#include "task/limits.hpp"
#include "worker/last_words.hpp"

#include <hotspare/crash_report.hpp>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace hotspare::death {

/// Why we ended a worker ourselves.
enum class EndedBy : std::uint8_t {
  nobody,
  deadline,
  cancel,
  lifeline,
  exec,
  main_thread,  ///< Its main thread had ended, and other threads lived on.
  protocol,
  shutdown,
  pressure,
  last_resort,  ///< As pressure, where the kernel would have ended host and workers together.
  memory
};

/// All that is known about one death, gathered in the host's own memory: nothing of it can still change.
struct Evidence {
  EndedBy ended_by = EndedBy::nobody;
  task::Step::Kind limit = task::Step::Kind::end_hard;  ///< Which, if it was EndedBy::deadline.
  std::string protocol_error;
  MemoryTaken memory_taken;        ///< If it was EndedBy::memory,
  std::uint64_t memory_limit = 0;  ///< and its task's limit.

  // Instants, ns of CLOCK_MONOTONIC; 0: not known.
  std::int64_t due_at = 0;     ///< When the limit passed, if it was EndedBy::deadline.
  std::int64_t struck_at = 0;  ///< When we sent it SIGKILL because the user wished to see that.
  std::int64_t words_at = 0;   ///< When it began to die, by its own words: it may be nonsense.

  // The worker's last words.
  worker::LastWordsKind words = worker::LastWordsKind::none;
  int signal = 0;
  int signal_code = 0;
  int sender_pid = 0;
  int thread_id = 0;
  int system_call = -1;  ///< That SIGSYS was about; -1: not known.
  std::uint64_t address = 0;
  std::uint64_t data_bytes = 0;
  std::uint64_t data_limit = 0;
  std::string detail;
  std::string script_stack;
  std::shared_ptr<hotspare::detail::StackImage> stack;
  std::vector<std::shared_ptr<const hotspare::detail::StackImage>> other_stacks;
  bool beside_stack_end = false;

  // The kernel's.
  std::int64_t pid = 0;
  std::optional<std::string> program;  ///< What the process had become by exec, if it did.
  os::ExitStatus exit;
  std::uint64_t machine_bytes = 0;    ///< The machine's memory.
  std::uint64_t oom_kills = 0;        ///< In its cgroup during its life; or, where that is not known,
  bool oom_kills_of_machine = false;  ///< on the whole machine, where others may have been meant.
  bool oom_log_names_it = false;      ///< The kernel's log says that it killed this pid for memory.
};

/// Copies what a dead worker left in its channel. Nothing in there is believed: lengths are checked, text is cut.
void read_last_words(const worker::LastWords& words, Evidence& into);

/// Why a process whose main thread's end was heard has not ended: what we end it for. nobody: it is about to.
EndedBy why_survives(pid_t pid, const os::Fd& pidfd) noexcept;

/// Whether the kernel's log of this boot says that it killed this process for memory. False without the right to read.
bool oom_log_names(std::int64_t pid);

}  // namespace hotspare::death
