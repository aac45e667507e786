#include "zygote/launcher.hpp"

#include "os/end_teller.hpp"
#include "os/memory.hpp"
#include "os/process.hpp"
#include "os/socket.hpp"
#include "zygote/embedding.hpp"
#include "zygote/zygote_main.hpp"

#include <atomic>
#include <climits>
#include <cstdlib>
#include <string>

namespace hotspare::zygote {
namespace {

constexpr const char* variable = "HOTSPARE_ZYGOTE";
std::atomic<bool> initialized{false};

/// Tells a program that it is to become a zygote: the descriptor of its control socket, and the socket's own number.
std::string order_for(const os::Fd& control) {
  return std::to_string(control.get()) + ":" + std::to_string(os::socket_number(control.get()));
}

/// The control socket, if that order was meant for this program; -1: it only inherited the variable from somebody.
int control_in_order() {
  const char* order = std::getenv(variable);
  if (order == nullptr) return -1;
  char* end = nullptr;
  const long fd = std::strtol(order, &end, 10);
  if (end == order || *end != ':' || fd < 0 || fd > INT_MAX) return -1;
  const unsigned long long number = std::strtoull(end + 1, nullptr, 10);
  return number != 0 && os::socket_number(static_cast<int>(fd)) == number ? static_cast<int>(fd) : -1;
}

os::Result<Handle> start_fork(os::SocketPair control) {
  auto child = fork_image();
  if (!child) return child.failure();
  if (*child == 0) {
    control.ours.reset();
    zygote_main(std::move(control.theirs));
  }
  Handle handle;
  handle.pid = *child;
  handle.control = child::HostEnd(std::move(control.ours));
  return handle;
}

os::Result<Handle> start_exec(os::SocketPair control, const Image& image) {
  std::vector<int> kept = image.exec_keep;
  kept.push_back(control.theirs.get());
  for (const int fd : image.exec_keep) os::rewind_memory(fd);
  auto child = spawn_program(image.exec_command, variable, order_for(control.theirs), kept);
  if (!child) return child.failure();
  Handle handle;
  handle.pid = *child;
  handle.control = child::HostEnd(std::move(control.ours));
  return handle;
}

}  // namespace

os::Result<Handle> launch(const Image& image) {
  auto control = os::make_message_sockets();
  if (!control) return control.failure();
  auto started = image.start == Start::fork ? start_fork(std::move(*control)) : start_exec(std::move(*control), image);
  if (!started) return started.failure();
  Handle handle = std::move(*started);
  auto pidfd = os::open_pidfd(handle.pid);
  if (!pidfd && !os::no_pidfds(pidfd.failure())) {
    handle.control.reset();  // it leaves
    os::reap_child(handle.pid);
    return pidfd.failure();
  }
  if (pidfd) handle.pidfd = std::move(*pidfd);
  handle.born = true;
  return handle;
}

os::Status set_up(Handle& zygote, const Setup& setup) {
  auto lifeline = os::make_lifeline_sockets();
  if (!lifeline) return lifeline.failure();
  Request request;
  request.ask = Ask::setup;
  request.setup = setup;
  const int fd = lifeline->theirs.get();
  auto sent = send(zygote.control.fd(), request, {&fd, 1});
  if (!sent) return sent.failure();
  zygote.lifeline = child::HostEnd(std::move(lifeline->ours));
  return os::Done{};
}

os::Result<Handle> ask_copy(const Handle& of) {
  auto control = os::make_message_sockets();
  if (!control) return control.failure();
  Request request;
  request.ask = Ask::standby;
  const int fd = control->theirs.get();
  auto sent = send(of.control.fd(), request, {&fd, 1});
  if (!sent) return sent.failure();
  Handle handle;
  handle.control = child::HostEnd(std::move(control->ours));
  return handle;
}

void become_zygote_if_asked() {
  initialized.store(true);
  const int fd = control_in_order();
  ::unsetenv(variable);
  if (fd < 0) return;
  os::Fd control(fd);
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

std::string why_no_exec(const Image& image) {
  if (control_in_order() >= 0)
    return "this process was started as a zygote, but main did not call hotspare::init(argc, argv) first";
  if (!initialized.load() && image.exec_command.empty())
    return "Start::exec needs hotspare::init(argc, argv) as the first statement of main: the program is started afresh "
           "and must not run its own main then";
  return {};
}

}  // namespace

std::string why_not(const Image& image) { return image.start == Start::exec ? why_no_exec(image) : why_no_fork(); }

}  // namespace hotspare::zygote

namespace hotspare {
void init(int /*argc*/, char** /*argv*/) { zygote::become_zygote_if_asked(); }
bool detail::is_to_be_zygote() noexcept { return zygote::control_in_order() >= 0; }
}  // namespace hotspare
