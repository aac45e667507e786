#include "signal_watch.hpp"

#include <atomic>
#include <cerrno>
#include <csignal>
#include <fcntl.h>
#include <mutex>
#include <pthread.h>
#include <sys/stat.h>
#include <system_error>
#include <thread>
#include <unistd.h>

namespace hotspare::python {
namespace {

/// signal.set_wakeup_fd: gives the one before. None of ours when this interpreter has no signals.
constexpr int refused_fd = -2;
int set_wakeup_fd(int fd, bool warns) noexcept {
  try {
    const nb::dict named;
    PyDict_SetItemString(named.ptr(), "warn_on_full_buffer", warns ? Py_True : Py_False);
    const nb::object before =
        checked(PyObject_Call(python_name("signal", "set_wakeup_fd").ptr(), nb::make_tuple(fd).ptr(), named.ptr()));
    return static_cast<int>(PyLong_AsLong(before.ptr()));
  } catch (nb::python_error&) {
    return refused_fd;
  }
}
/// The program's own again; gives the one before. One that it has closed meanwhile is none.
int give_back(int fd) noexcept {
  const int before = set_wakeup_fd(fd, true);
  return before == refused_fd ? set_wakeup_fd(-1, true) : before;
}

/// A pipe, and the thread that reads it. One for the process, made when it first waits, there as long as it has pools: a
/// program that has none any more may fork as one without threads.
class Watcher {
 public:
  Watcher() = default;
  /// Nobody may wait. With the GIL, which the thread does not need.
  ~Watcher() {
    if (ends_[1] >= 0) ::close(ends_[1]);
    if (thread_.joinable()) thread_.join();
    if (ends_[0] >= 0) ::close(ends_[0]);
  }
  Watcher(const Watcher&) = delete;
  Watcher& operator=(const Watcher&) = delete;

  /// Null: there is none to be had, and only a signal that interrupts a system call is heard.
  static Watcher* of_this_process();
  /// In a fork: the thread is the parent's, and so is the pipe.
  static void forget();
  static void go_if_unused();

  int fd() const { return ends_[1]; }
  /// Programs that become daemons close descriptors that they don't know, and the number may be another file's then.
  bool is_whole() const {
    struct stat now {};
    return ::fstat(ends_[1], &now) == 0 && now.st_ino == inode_ && now.st_dev == device_;
  }
  void add(SignalWatch* watch, int programs) {
    const std::lock_guard lock(mutex_);
    innermost_ = watch;
    programs_.store(programs);
  }
  void remove(const SignalWatch& watch) {
    const std::lock_guard lock(mutex_);
    innermost_ = watch.outer();
  }
  SignalWatch* innermost() const { return innermost_; }  // written with the GIL only
  /// Keeps it: to set CPython's descriptor lets go of the GIL, and who has no pool any more may come in between.
  class Hold {
   public:
    explicit Hold(Watcher& watcher) : watcher_(watcher) { ++watcher_.holds_; }
    ~Hold() { --watcher_.holds_; }
    Hold(const Hold&) = delete;
    Hold& operator=(const Hold&) = delete;

   private:
    Watcher& watcher_;
  };
  int programs() const { return programs_.load(); }

 private:
  bool open();
  void read_all();
  void pass_on(const char* numbers, std::size_t count);

  std::thread thread_;
  int ends_[2] = {-1, -1};
  ino_t inode_ = 0;
  dev_t device_ = 0;
  std::mutex mutex_;
  SignalWatch* innermost_ = nullptr;
  unsigned holds_ = 0;  // guarded by the GIL
  std::atomic<int> programs_{-1};
};

Watcher* made = nullptr;  // these are guarded by the GIL
bool refused = false;
unsigned users = 0;
unsigned long main_thread = 0;

void close_both(int (&ends)[2]) {
  for (int& end : ends) {
    if (end >= 0) ::close(end);
    end = -1;
  }
}

bool Watcher::open() {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return false;
  for (int i = 0; i < 2; ++i) ends_[i] = ::fcntl(ends[i], F_DUPFD_CLOEXEC, 3);  // 0 to 2 are the program's
  close_both(ends);
  struct stat it {};
  if (ends_[0] < 0 || ends_[1] < 0 || ::fcntl(ends_[1], F_SETFL, O_NONBLOCK) != 0 || ::fstat(ends_[1], &it) != 0) {
    close_both(ends_);
    return false;
  }
  inode_ = it.st_ino;
  device_ = it.st_dev;
  sigset_t all;
  sigset_t before;
  ::sigfillset(&all);
  ::pthread_sigmask(SIG_SETMASK, &all, &before);  // the program's signals are for its own threads
  try {
    thread_ = std::thread([this] { read_all(); });
  } catch (const std::system_error&) {
    close_both(ends_);
  }
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  return ends_[0] >= 0;
}

void Watcher::read_all() {
  for (;;) {
    char numbers[64];
    const ssize_t got = ::read(ends_[0], numbers, sizeof numbers);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return;
    const std::lock_guard lock(mutex_);
    for (SignalWatch* watch = innermost_; watch != nullptr; watch = watch->outer()) watch->interrupt();
    pass_on(numbers, static_cast<std::size_t>(got));
  }
}

void Watcher::pass_on(const char* numbers, std::size_t count) {
  const int to = programs_.load();
  // As Python itself: whoever does not read his pipe is not told more.
  if (to >= 0) static_cast<void>(!::write(to, numbers, count));
}

Watcher* Watcher::of_this_process() {
  if (made != nullptr && !made->is_whole()) made = nullptr;  // its thread may sleep for ever
  if (made != nullptr || refused) return made;
  auto* const fresh = new Watcher;
  if (fresh->open()) return made = fresh;
  delete fresh;
  refused = true;
  return nullptr;
}

void Watcher::forget() {
  if (made != nullptr && made->is_whole()) {
    const int now = give_back(made->programs());
    if (now != made->fd() && now != refused_fd) give_back(now);
    close_both(made->ends_);
  }
  made = nullptr;
  refused = false;
  users = 0;
}

void Watcher::go_if_unused() {
  if (made == nullptr || made->innermost() != nullptr || made->holds_ != 0 || users != 0) return;
  if (made->is_whole()) delete made;
  made = nullptr;
}

/// Runs the handlers of signals that have come; what they raise ends the wait. So does an interrupt that asyncio has taken to
/// cancel the task that waits here.
void look_at_signals() {
  if (PyErr_CheckSignals() != 0) raise_set_error();
  if (python_name("hotspare._interrupts", "is_pending")().ptr() == Py_True) {
    PyErr_SetNone(PyExc_KeyboardInterrupt);
    raise_set_error();
  }
}

/// On a thread of the host that has let go of the GIL.
void run_handlers() {
  const WithGil gil;
  look_at_signals();
}

bool on_main_thread() { return PyThread_get_thread_ident() == main_thread; }

}  // namespace

SignalWatch::SignalWatch() {
  if (!on_main_thread()) return;
  wait_.emplace(run_handlers);
  try {
    begin();
  } catch (...) {
    end();
    throw;
  }
}

SignalWatch::~SignalWatch() {
  if (wait_) end();
}

/// A handler may wait itself, and may set another descriptor.
void SignalWatch::begin() {
  Watcher* const watcher = Watcher::of_this_process();
  if (watcher == nullptr) {
    look_at_signals();
    return;
  }
  const Watcher::Hold hold(*watcher);
  outer_ = watcher->innermost();
  programs_ = outer_ != nullptr ? watcher->programs() : -1;
  for (bool again = true; again;) {
    const int before = set_wakeup_fd(watcher->fd(), false);
    if (before == refused_fd) break;
    again = before != watcher->fd();
    if (again) programs_ = before;
    watcher->add(this, programs_);
    // Its other end is in CPython: this look after the descriptor was set; Python's handler writes to it after its note.
    look_at_signals();
  }
}

void SignalWatch::end() noexcept {
  Watcher* const watcher = made;
  if (watcher == nullptr || watcher->innermost() != this) return;
  watcher->remove(*this);
  if (outer_ != nullptr) return;
  {
    const Watcher::Hold hold(*watcher);
    const int now = give_back(programs_);
    if (now != watcher->fd() && now != refused_fd) give_back(now);  // a handler has set another
  }
  Watcher::go_if_unused();
}

void define_signal_watch(nb::module_& module) {
  module.def(
      "note_main_thread", [](unsigned long ident) { main_thread = ident; }, nb::arg("ident"));
  module.def("forget_signal_watch", Watcher::forget);
  module.def("signal_watch_wanted", [] { ++users; });
  module.def("signal_watch_unwanted", [] {
    if (users != 0) --users;  // it was not of this process, else
    Watcher::go_if_unused();
  });
}

}  // namespace hotspare::python
