#include "death/evidence.hpp"

#include "death/stack_image.hpp"
#include "death/stack_overflow.hpp"
#include "os/kernel_log.hpp"
#include "os/process_state.hpp"

#include <algorithm>
#include <csignal>
#include <cstring>
#include <exception>

namespace hotspare::death {

void read_last_words(const worker::LastWords& words, Evidence& into) {
  using worker::LastWordsKind;
  into.script_stack.assign(words.script_stack, ::strnlen(words.script_stack, sizeof words.script_stack));
  const LastWordsKind kind = words.kind.load(std::memory_order_acquire);
  if (kind == LastWordsKind::none || kind >= LastWordsKind::count) return;
  into.words = kind;
  into.words_at = words.died_at;
  into.signal = std::clamp(words.signal, 0, NSIG);
  into.signal_code = words.signal_code;
  into.address = words.address;
  into.sender_pid = words.sender_pid;
  into.thread_id = words.thread_id;
  into.system_call = words.system_call;
  into.data_bytes = words.data_bytes;
  into.data_limit = words.data_limit;
  into.detail.assign(words.detail, ::strnlen(words.detail, sizeof words.detail));
  into.stack = from_record(words.stack);
  into.beside_stack_end = into.stack != nullptr && (into.signal == SIGSEGV || into.signal == SIGBUS) &&
                          into.signal_code > 0 && beside_stack_end(into.address, *into.stack);
}

EndedBy why_survives(pid_t pid, const os::Fd& pidfd) noexcept try {
  if (os::runs(pid, pidfd)) return EndedBy::exec;
  return os::outlives_its_main_thread(pid) ? EndedBy::main_thread : EndedBy::nobody;
} catch (const std::exception&) {  // no memory to look
  return EndedBy::nobody;
}

bool oom_log_names(std::int64_t pid) {
  const std::string needle = "Killed process " + std::to_string(pid) + " ";
  return os::kernel_log_contains(needle);
}

}  // namespace hotspare::death
