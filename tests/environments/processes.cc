#include "situation.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <sched.h>
#include <string>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>
#include <vector>

namespace hotspare::testing {
namespace {

void close_standard_streams() {
  report_fd();
  for (int fd = 0; fd <= 2; ++fd) ::close(fd);
}

void reap_all(int /*signal*/) {
  const int kept = errno;
  while (::waitpid(-1, nullptr, WNOHANG) > 0) {
  }
  errno = kept;
}

std::atomic<bool> reaping{true};

/// What a program does that thinks all children are its own.
void reap_in_a_thread(Pool& /*pool*/) {
  std::thread([] {
    while (reaping && (::waitpid(-1, nullptr, 0) > 0 || errno == EINTR)) {
    }
  }).detach();
}

void block_all_signals() {
  sigset_t all;
  ::sigfillset(&all);
  ::sigprocmask(SIG_SETMASK, &all, nullptr);
}

void preload_jemalloc() {
  if (under_sanitizer()) skip("a sanitizer has an allocator of its own");
  constexpr const char* name = "libjemalloc.so.2";
  const char* before = ::getenv("LD_PRELOAD");
  if (before != nullptr && std::strstr(before, name) != nullptr) return;
  std::string library;
  for (const char* folder :
       {"/usr/lib/x86_64-linux-gnu/", "/usr/lib/aarch64-linux-gnu/", "/usr/lib64/", "/usr/lib/", "/bin/"})
    if (library.empty() && ::access((std::string(folder) + name).c_str(), R_OK) == 0)
      library = std::string(folder) + name;
  if (library.empty()) skip("libjemalloc.so.2 is not installed");
  ::setenv("LD_PRELOAD", library.c_str(), 1);
  std::array<char, 4096> text;
  const int fd = ::open("/proc/self/cmdline", O_RDONLY | O_CLOEXEC);
  const ssize_t size = ::read(fd, text.data(), text.size());
  std::vector<char*> argv;
  for (char* at = text.data(); size > 0 && at < text.data() + size; at += std::strlen(at) + 1) argv.push_back(at);
  argv.push_back(nullptr);
  ::execv("/proc/self/exe", argv.data());
  skip("this program cannot be started again");
}

pid_t own_child = 0;

/// With a child of its own, and one that somebody else has left to it.
void be_process_1() {
  if (::unshare(CLONE_NEWPID) != 0) need(::unshare(CLONE_NEWUSER | CLONE_NEWPID), "a pid namespace");
  const pid_t first = ::fork();
  if (first > 0) {
    int status = 0;
    ::waitpid(first, &status, 0);
    std::_Exit(WIFEXITED(status) ? WEXITSTATUS(status) : 1);
  }
  own_mounts();
  need(::mount("proc", "/proc", "proc", 0, nullptr), "mounting /proc");
  own_child = ::fork();
  if (own_child == 0)
    for (;;) ::pause();
  const pid_t parent_of_orphan = ::fork();
  if (parent_of_orphan == 0) {
    if (::fork() == 0)
      for (;;) ::pause();
    std::_Exit(0);
  }
  ::waitpid(parent_of_orphan, nullptr, 0);
}

void live_as_process_1(Start start) {
  check(::getpid() == 1, "it is process 1");
  pool_lives({.start = start, .idles = false});
  int status = 0;
  check(::waitpid(own_child, &status, WNOHANG) == 0, "the program's own child lives, and is its own");
  ::kill(own_child, SIGKILL);
  check(::waitpid(own_child, &status, 0) == own_child, "the program reaps its own child");
  siginfo_t info{};
  check(::waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid == 0,
        "no zombie is left, and the orphan lives");
}

void stop_a_worker(Pool& pool) { ::kill(static_cast<pid_t>(pool.started_pids(3).front()), SIGSTOP); }

void stop_the_zygote(Pool& pool) {
  ::kill(static_cast<pid_t>(pool.zygote_pid()), SIGSTOP);
  ::kill(static_cast<pid_t>(pool.started_pids(1).front()), SIGKILL);
}

/// Its parent kills the worker meanwhile, and lets it go on.
void stop_the_host(Pool& pool) {
  shared().worker = pool.started_pids(3).front();
  ::raise(SIGSTOP);
}

/// A service that knows SIGTERM, or one that does not.
[[noreturn]] void serve(Start start, bool handles, int ready) {
  sigset_t asked_to_end;
  ::sigemptyset(&asked_to_end);
  ::sigaddset(&asked_to_end, SIGTERM);
  if (handles) ::sigprocmask(SIG_BLOCK, &asked_to_end, nullptr);
  PoolOptions options;
  options.workers = 2;
  options.start = start;
  options.worker_stderr = Stderr::capture;
  Pool pool(options);
  auto hung = pool.submit([] {
    std::signal(SIGTERM, SIG_IGN);  // so that only SIGKILL ends it
    for (;;) ::pause();
  });
  std::size_t count = 0;
  for (const std::int64_t pid : pool.started_pids(3))
    if (count < std::size(shared().processes)) shared().processes[count++] = pid;
  shared().processes[count] = pool.zygote_pid();
  static_cast<void>(::write(ready, "r", 1));
  int signal = 0;
  if (!handles) ::pause();
  ::sigwait(&asked_to_end, &signal);
  pool.shutdown(true, true, 0, std::chrono::milliseconds(100));
  std::exit(hung.outcome().ok() ? 1 : 0);
}

enum class Gets : unsigned char { only_host_term, only_host_kill, all_term };

void end_service(Start start, Gets gets) {
  ::prctl(PR_SET_CHILD_SUBREAPER, 1);
  std::array<int, 2> ready;
  need(::pipe2(ready.data(), O_CLOEXEC), "a pipe");
  const bool handles = gets == Gets::all_term;
  const pid_t service = ::fork();
  if (service == 0) serve(start, handles, ready[1]);
  ::close(ready[1]);
  char word = 0;
  check(::read(ready[0], &word, 1) == 1, "the service has begun");
  ::kill(service, gets == Gets::only_host_kill ? SIGKILL : SIGTERM);
  if (gets == Gets::all_term)
    for (const std::int64_t pid : shared().processes)
      if (pid > 1) ::kill(static_cast<pid_t>(pid), SIGTERM);
  int status = 0;
  check(::waitpid(service, &status, 0) == service, "the service has ended");
  if (handles) {
    check(WIFEXITED(status) && WEXITSTATUS(status) == 0, "it has ended as it wanted to");
  } else {
    check(WIFSIGNALED(status), "the signal has ended it");
  }
  // Whoever it leaves is ours now; this waits until nobody is left.
  while (::waitpid(-1, nullptr, 0) > 0 || errno == EINTR) {
  }
}

const Situation table[] = {
    {.name = "nothing_special",
     .what = "nothing special",
     .told = "Works.",
     .make = [] {},
     .stacks = under_sanitizer() ? Stacks::any : Stacks::there},
    {.name = "streams_closed", .what = "0, 1 and 2 closed", .told = "Works.", .make = close_standard_streams},
    {.name = "children_ignored",
     .what = "SIGCHLD ignored",
     .told = "Works.",
     .make = [] { std::signal(SIGCHLD, SIG_IGN); }},
    {.name = "children_reaped_by_handler",
     .what = "children reaped by the program: a handler of SIGCHLD, a thread in `waitpid(-1)`",
     .told = "Works.",
     .make = [] { std::signal(SIGCHLD, reap_all); }},
    {.name = "children_reaped_by_thread", .what = {}, .told = {}, .make = [] {}, .meanwhile = reap_in_a_thread},
    {.name = "signals_blocked", .what = "all signals blocked", .told = "Works.", .make = block_all_signals},
    {.name = "jemalloc", .what = "jemalloc preloaded", .told = "Works.", .make = preload_jemalloc},
    {.name = "process_1",
     .what = "the host is process 1, with children of its own",
     .told = "Works; no zombie is left, and the program's own children are left alone.",
     .make = be_process_1,
     .live = live_as_process_1},
    {.name = "worker_stopped",
     .what = "a worker, the zygote, or the host stopped (SIGSTOP) for a while",
     .told = "Works.",
     .make = [] {},
     .meanwhile = stop_a_worker},
    {.name = "zygote_stopped", .what = {}, .told = {}, .make = [] {}, .meanwhile = stop_the_zygote},
    {.name = "host_stopped", .what = {}, .told = {}, .make = [] {}, .meanwhile = stop_the_host},
    {.name = "killmode_process",
     .what = "systemd's KillMode: `process` and `mixed` (SIGTERM, or SIGKILL, to the host only), `control-group` "
             "(SIGTERM to all)",
     .told = "Nothing is left, even of a task that ignores SIGTERM; a host that handles it can shut down with a grace.",
     .make = [] {},
     .live = [](Start start) { end_service(start, Gets::only_host_term); }},
    {.name = "killmode_process_kill",
     .what = {},
     .told = {},
     .make = [] {},
     .live = [](Start start) { end_service(start, Gets::only_host_kill); }},
    {.name = "killmode_control_group",
     .what = {},
     .told = {},
     .make = [] {},
     .live = [](Start start) { end_service(start, Gets::all_term); }},
};

}  // namespace

std::span<const Situation> process_situations() { return table; }

}  // namespace hotspare::testing
