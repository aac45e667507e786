#include "runtime.hpp"

#include "worker_entry.hpp"

#include <hotspare/detail/embedding.hpp>
#include <hotspare/options.hpp>
#include <hotspare/this_task.hpp>

#include <cerrno>
#include <csignal>
#include <fcntl.h>
#include <optional>
#include <stdexcept>
#include <string>
#include <unistd.h>
#include <utility>
#include <vector>

namespace hotspare::python {
namespace {

PyThreadState* idle_thread = nullptr;

thread_local PyThreadState* let_go = nullptr;

void before_fork() {
  if (let_go != nullptr) take_gil(let_go);
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

/// errno of an OSError, of others what says no more.
int number_of(nb::python_error& error) {
  const nb::object number = nb::getattr(nb::borrow(error.value()), "errno", nb::none());
  const bool known = error.matches(PyExc_OSError) && PyLong_Check(number.ptr());
  return known ? static_cast<int>(PyLong_AsLong(number.ptr())) : EPROTO;
}

/// Calls, with the GIL, what gives a process id or None. Nothing if this thread cannot have the GIL at once: its holder may
/// be waiting for this thread.
template <class Call>
std::optional<int> process_from(const char* what, Call call) {
  const bool was_let_go = let_go != nullptr;
  if (was_let_go) take_gil(std::exchange(let_go, nullptr));
  if (PyGILState_Check() == 0) return std::nullopt;
  std::optional<int> child;
  int number = 0;
  try {
    const nb::object made = call();
    if (!made.is_none()) child = nb::cast<int>(made);
  } catch (nb::python_error& error) {
    number = number_of(error);
    error.discard_as_unraisable(what);
    child = -1;
  }
  if (was_let_go && child != 0) let_go = PyEval_SaveThread();
  errno = number;
  return child;
}

/// Debuggers put themselves in front of os.fork, to be in every process.
std::optional<int> fork_as_asked() {
  return process_from("hotspare: os.fork", [] {
    const nb::object fork = python_name("os", "fork");
    return PyCFunction_Check(fork.ptr()) ? nb::object(nb::none()) : fork();
  });
}

/// And of what multiprocessing starts programs with.
std::optional<int> spawn_as_asked(const std::vector<std::string>& command, const std::vector<int>& inherited,
                                  const std::string& setting) {
  return process_from("hotspare: starting an interpreter", [&] {
    nb::list words;
    for (const std::string& word : command) words.append(nb::bytes(word.data(), word.size()));
    return python_name("hotspare._start", "spawn_as_asked")(words, inherited, setting);
  });
}

void idle_begins() { idle_thread = PyEval_SaveThread(); }
void idle_ends() { take_gil(idle_thread); }

/// Calls a function of the Python half that takes and gives nothing.
void call_worker_module(const char* function) { python_name("hotspare._worker", function)(); }

void zygote_begins() {
  try {
    call_worker_module("zygote_begins");
  } catch (nb::python_error& error) {
    error.discard_as_unraisable("hotspare zygote");
  }
}

/// The rest of a worker's life, inside of what multiprocessing has around its processes'.
void worker_lives(void (*serve)(void*), void* argument) {
  try {
    python_name("hotspare._worker", "worker_lives")(nb::cpp_function([=] { serve(argument); }));
  } catch (nb::python_error& error) {
    error.discard_as_unraisable("hotspare worker");
  }
}

/// A handler that raises then has nobody who could handle it: the worker ends, as one of multiprocessing would, but for a
/// KeyboardInterrupt, which is for tasks.
void between_tasks() {
  if (PyErr_CheckSignals() == 0) return;
  nb::python_error error;
  if (!error.matches(PyExc_KeyboardInterrupt)) throw error;
}

void replica_leaves() {
  try {
    call_worker_module("replica_leaves");
  } catch (nb::python_error& error) {
    error.discard_as_unraisable("hotspare replica");
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
ForkingCall::~ForkingCall() { take_gil(std::exchange(let_go, nullptr)); }

std::string words_of(const nb::object& error) {
  const nb::object text = python_name("hotspare._describe", "in_one_line")(error);
  const nb::object bytes = checked(PyUnicode_AsEncodedString(text.ptr(), "utf-8", "backslashreplace"));
  return {PyBytes_AS_STRING(bytes.ptr()), static_cast<std::size_t>(PyBytes_GET_SIZE(bytes.ptr()))};
}

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
  embedding.fork = fork_as_asked;
  embedding.spawn = spawn_as_asked;
  embedding.zygote_begins = zygote_begins;
  embedding.idle_begins = idle_begins;
  embedding.idle_ends = idle_ends;
  embedding.worker_lives = worker_lives;
  embedding.between_tasks = between_tasks;
  embedding.task_over = let_go_of_task;
  embedding.worker_leaves = replica_leaves;
  embedding.describe_stack = describe_stack;
  embedding.keeps_signal_handlers = true;
  embedding.forks_with_threads = true;  // as the standard library's pool does
  embedding.stop_signal = stop_signal();
  embedding.exec_advice =
      "does a frozen program call multiprocessing.freeze_support() first? Is sys.executable a Python?";
  detail::embed(embedding);
}

void define_runtime(nb::module_& module) {
  module.def("open_stack_pipe", open_stack_pipe, nb::arg("signal"));
  module.def("keep_stack_handler", keep_stack_handler);
  module.def("become_zygote_if_asked", [] { init(0, nullptr); });
  module.def("is_to_be_zygote", detail::is_to_be_zygote);
  module.def("in_worker_process", detail::in_worker_process);
  module.def("worker_number", detail::worker_number);
  module.def("in_task", in_task);
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
