#include "child/ending.hpp"

#include "child/nursery.hpp"
#include "os/process.hpp"

#include <csignal>

namespace hotspare::child {

void signal(const Process& process, Nursery& nursery, int signal) {
  if (process.exited || os::signal_process(process.pidfd, signal) != os::Delivery::refused) return;
  nursery.ask_to_signal(process, signal, Whom::process);
}

void signal_group(const Process& process, Nursery& nursery, int signal) {
  if (os::signal_group(process.number(), signal) != os::Delivery::refused) return;
  nursery.ask_to_signal(process, signal, Whom::group);
}

void end(Process& process, Nursery& nursery) {
  process.killed = true;
  if (process.exited || os::signal_process(process.pidfd, SIGKILL) != os::Delivery::refused) return;
  process.lifeline.reset();
  nursery.ask_to_signal(process, SIGKILL, Whom::process);
}

}  // namespace hotspare::child
