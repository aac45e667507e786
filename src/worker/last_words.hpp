#pragma once

#include "worker/stack_record.hpp"

#include <atomic>
#include <cstdint>

namespace hotspare::worker {

/// What a dying worker still managed to say.
enum class LastWordsKind : std::uint32_t {
  none,
  signal,        ///< A fatal signal reached the handler.
  terminated,    ///< std::terminate.
  memory_limit,  ///< operator new failed while a task's memory limit was in force.
  initializer,   ///< The initializer threw.
  thread_exit,   ///< The main thread was about to end without the process.
  count
};

/// Lives in the channel; written once by the first thread that dies, read by the host when told that it is complete.
struct LastWords {
  std::atomic<std::uint32_t> claimed{0};                 ///< The first dying thread takes it.
  std::atomic<LastWordsKind> kind{LastWordsKind::none};  ///< Stored last, with release: all below is written.
  std::int32_t signal = 0;
  std::int32_t signal_code = 0;
  std::uint64_t address = 0;    ///< si_addr.
  std::int32_t sender_pid = 0;  ///< si_pid, for signals that somebody sent.
  std::int32_t thread_id = 0;
  std::int32_t system_call = -1;  ///< The one that SIGSYS was about; -1: none, or of another architecture.
  std::int64_t died_at = 0;       ///< When it began to die, ns of CLOCK_MONOTONIC.
  std::uint64_t data_bytes = 0;   ///< Private memory that the task had added by then, if it had a limit.
  std::uint64_t data_limit = 0;   ///< The task's limit then; 0: none.
  char detail[2048] = {};         ///< Cut, zero-terminated; room for advice of several sentences.
  /// Address in the worker of a function that writes script_stack and does not return; 0: no language is embedded.
  std::uint64_t script_stack_teller = 0;
  /// Set when script_stack was written for a host that asked for it.
  std::atomic<std::uint32_t> script_stack_told{0};
  char script_stack[8192] = {};  ///< Of the language that embeds the engine; cut, zero-terminated.
  StackRecord stack;

  /// All but the stacks is there.
  bool spoken() const {
    // SYNC POINT last-words: released by the crash handler's publish.
    return kind.load(std::memory_order_acquire) != LastWordsKind::none;
  }
};

}  // namespace hotspare::worker
