#include "runtime.hpp"

#include <hotspare/detail/embedding.hpp>
#include <hotspare/options.hpp>
#include <hotspare/this_task.hpp>

#include <csignal>
#include <fcntl.h>
#include <stdexcept>
#include <string>
#include <unistd.h>
#include <utility>

namespace hotspare::python {
namespace {

PyThreadState* idle_thread = nullptr;

thread_local PyThreadState* let_go = nullptr;

void before_fork() {
  if (let_go != nullptr) PyEval_RestoreThread(let_go);
  PyOS_BeforeFork();
}
void after_fork_in_parent() {
  PyOS_AfterFork_Parent();
  if (let_go != nullptr) let_go = PyEval_SaveThread();
}
/// What is forked goes on with the GIL.
void after_fork_in_child() {
  PyOS_AfterFork_Child();
  let_go = nullptr;
}

/// On a thread of the host that has let go of the GIL.
void interrupted() {
  const nb::gil_scoped_acquire gil;
  if (PyErr_CheckSignals() != 0) raise_set_error();
}

void idle_begins() { idle_thread = PyEval_SaveThread(); }
void idle_ends() { PyEval_RestoreThread(idle_thread); }

/// Calls a function of the Python half that takes and gives nothing.
void call_worker_module(const char* function) { python_name("hotspare._worker", function)(); }

void zygote_begins() {
  try {
    call_worker_module("zygote_begins");
  } catch (nb::python_error& error) {
    error.discard_as_unraisable("hotspare zygote");
  }
}

void worker_leaves() {
  try {
    call_worker_module("worker_leaves");
  } catch (nb::python_error& error) {
    error.discard_as_unraisable("hotspare worker");
  }
}

// faulthandler writes the stacks of all Python threads into this pipe when the worker gets stack_signal. It needs
// neither the GIL nor memory, so the crash handler can have it done at any moment.
int stack_pipe[2] = {-1, -1};
int stack_signal = 0;
struct sigaction stack_handler {};

/// Never freed: the process ends.
const std::string* remembered_stack = nullptr;

std::size_t describe_stack(char* room, std::size_t size) noexcept {
  if (remembered_stack != nullptr) return remembered_stack->copy(room, size);
  if (stack_signal == 0) return 0;
  sigset_t only;
  sigemptyset(&only);
  sigaddset(&only, stack_signal);
  ::sigaction(stack_signal, &stack_handler, nullptr);  // the task may have changed it
  ::raise(stack_signal);
  ::pthread_sigmask(SIG_UNBLOCK, &only, nullptr);  // it comes now
  ::pthread_sigmask(SIG_BLOCK, &only, nullptr);
  const ssize_t got = ::read(stack_pipe[0], room, size);
  return got > 0 ? static_cast<std::size_t>(got) : 0;
}

/// Returns the descriptor for faulthandler to write to.
int open_stack_pipe(int signal) {
  if (stack_pipe[0] >= 0) {  // of the process that this one was forked from
    ::close(stack_pipe[0]);
    ::close(stack_pipe[1]);
  }
  if (::pipe2(stack_pipe, O_CLOEXEC | O_NONBLOCK) != 0) {
    stack_signal = 0;
    return -1;
  }
  stack_signal = signal;
  return stack_pipe[1];
}

/// A signal that hardly anybody uses: its handler in the worker raises SoftTimeout.
int stop_signal() { return SIGRTMAX - 4; }

/// What faulthandler has made of it by now is what is used.
void keep_stack_handler() { ::sigaction(stack_signal, nullptr, &stack_handler); }

}  // namespace

ForkingCall::ForkingCall() { let_go = PyEval_SaveThread(); }
ForkingCall::~ForkingCall() { PyEval_RestoreThread(std::exchange(let_go, nullptr)); }

void remember_stack(std::string text) { remembered_stack = new std::string(std::move(text)); }

void preload_in_zygote() {
  in_words([] { call_worker_module("zygote_preloads"); });
}

void begin_worker() {
  in_words([] { call_worker_module("worker_begins"); });
}

void tie_runtime() {
  detail::Embedding embedding;
  embedding.before_fork = before_fork;
  embedding.after_fork_in_parent = after_fork_in_parent;
  embedding.after_fork_in_child = after_fork_in_child;
  embedding.zygote_begins = zygote_begins;
  embedding.idle_begins = idle_begins;
  embedding.idle_ends = idle_ends;
  embedding.worker_leaves = worker_leaves;
  embedding.interrupted = interrupted;
  embedding.describe_stack = describe_stack;
  embedding.keeps_signal_handlers = true;
  embedding.forks_with_threads = true;  // as the standard library's pool does
  embedding.stop_signal = stop_signal();
  detail::embed(embedding);
}

void define_runtime(nb::module_& module) {
  module.def("open_stack_pipe", open_stack_pipe, nb::arg("signal"));
  module.def("keep_stack_handler", keep_stack_handler);
  module.def("become_zygote_if_asked", [] { init(0, nullptr); });
  module.def("in_worker_process", detail::in_worker_process);
  module.def("usable_cpus", usable_cpus);
  module.def("stop_signal", stop_signal);
  module.def("asked_to_stop", detail::asked_to_stop);
  module.def("attempt", attempt);
  module.def(
      "progress",
      [](std::uint64_t done, std::uint64_t total, const std::string& note) { hotspare::progress(done, total, note); },
      nb::arg("done"), nb::arg("total"), nb::arg("note"));
}

}  // namespace hotspare::python
