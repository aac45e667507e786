#include "zygote/launcher.hpp"

#include "os/memory.hpp"
#include "os/process.hpp"
#include "os/socket.hpp"
#include "supervisor/fork_guard.hpp"
#include "zygote/embedding.hpp"
#include "zygote/zygote_main.hpp"

#include <atomic>
#include <cstdlib>
#include <string>

namespace hotspare::zygote {
namespace {

constexpr const char* variable = "HOTSPARE_ZYGOTE";
std::atomic<bool> initialized{false};

os::Result<Handle> start_fork(os::SocketPair control) {
  auto child = fork_image();
  if (!child) return child.failure();
  if (*child == 0) {
    control.ours.reset();
    zygote_main(std::move(control.theirs));
  }
  Handle handle;
  handle.pid = *child;
  handle.control = std::move(control.ours);
  return handle;
}

os::Result<Handle> start_exec(os::SocketPair control, const PoolOptions& options) {
  std::vector<int> kept = options.exec_keep;
  kept.push_back(control.theirs.get());
  auto child = os::spawn(options.exec_command, variable, std::to_string(control.theirs.get()), kept);
  if (!child) return child.failure();
  Handle handle;
  handle.pid = *child;
  handle.control = std::move(control.ours);
  return handle;
}

}  // namespace

os::Result<Handle> launch(const PoolOptions& options) {
  auto control = os::make_message_sockets();
  if (!control) return control.failure();
  auto started =
      options.start == Start::fork ? start_fork(std::move(*control)) : start_exec(std::move(*control), options);
  if (!started) return started.failure();
  Handle handle = std::move(*started);
  auto pidfd = os::open_pidfd(handle.pid);
  if (!pidfd) return pidfd.failure();
  handle.pidfd = std::move(*pidfd);
  handle.born = true;
  supervisor::close_in_forks(handle.control.get());
  return handle;
}

os::Status set_up(Handle& zygote, const Setup& setup) {
  auto lifeline = os::make_lifeline_sockets();
  if (!lifeline) return lifeline.failure();
  Request request;
  request.ask = Ask::setup;
  request.setup = setup;
  const int fd = lifeline->theirs.get();
  auto sent = send(zygote.control, request, {&fd, 1});
  if (!sent) return sent.failure();
  zygote.lifeline = std::move(lifeline->ours);
  supervisor::close_in_forks(zygote.lifeline.get());
  return os::Done{};
}

os::Result<Handle> ask_copy(const Handle& of) {
  auto control = os::make_message_sockets();
  if (!control) return control.failure();
  Request request;
  request.ask = Ask::standby;
  const int fd = control->theirs.get();
  auto sent = send(of.control, request, {&fd, 1});
  if (!sent) return sent.failure();
  Handle handle;
  handle.control = std::move(control->ours);
  supervisor::close_in_forks(handle.control.get());
  return handle;
}

void become_zygote_if_asked() {
  initialized.store(true);
  const char* number = std::getenv(variable);
  if (number == nullptr) return;
  os::Fd control(static_cast<int>(std::strtol(number, nullptr, 10)));
  ::unsetenv(variable);
  os::close_on_exec(control);
  zygote_main(std::move(control));
}

namespace {

std::string why_no_fork() {
  const int threads = os::own_threads();
  if (threads <= 1 || detail::embedding().forks_with_threads) return {};
  return "Start::fork needs a process with one thread, this one has " + std::to_string(threads) +
         ": a fork would copy locks that the others hold. Make the pool before you start threads, or use "
         "Start::exec with hotspare::init(argc, argv) at the top of main";
}

std::string why_no_exec(const PoolOptions& options) {
  if (std::getenv(variable) != nullptr)
    return "this process was started as a zygote, but main did not call hotspare::init(argc, argv) first";
  if (!initialized.load() && options.exec_command.empty())
    return "Start::exec needs hotspare::init(argc, argv) as the first statement of main: the program is started afresh "
           "and must not run its own main then";
  return {};
}

}  // namespace

std::string why_not(const PoolOptions& options) {
  return options.start == Start::exec ? why_no_exec(options) : why_no_fork();
}

}  // namespace hotspare::zygote

namespace hotspare {
void init(int /*argc*/, char** /*argv*/) { zygote::become_zygote_if_asked(); }
}  // namespace hotspare
