#include "os/process.hpp"

#include "os/data_limit.hpp"
#include "os/end_teller.hpp"
#include "os/missing.hpp"

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <dirent.h>
#include <fcntl.h>
#include <linux/types.h>
#include <poll.h>
#include <sched.h>
#include <spawn.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

namespace hotspare::os {
namespace {

// Debian 12's headers are older than these parts of <linux/pidfd.h>.
struct PidfdInfo {
  std::uint64_t mask;
  std::uint64_t cgroup_id;
  std::uint32_t pid, tgid, ppid, ruid, rgid, euid, egid, suid, sgid, fsuid, fsgid;
  std::int32_t exit_code;
};
constexpr std::uint64_t pidfd_info_exit = 1u << 3;
const unsigned long pidfd_get_info = _IOWR(0xFF, 11, PidfdInfo);

Result<std::vector<std::string>> own_arguments() {
  std::FILE* file = std::fopen("/proc/self/cmdline", "re");
  if (file == nullptr)
    return failed("open(/proc/self/cmdline), to start this program afresh: PoolOptions::exec_command can name it");
  std::string all;
  for (int c = std::fgetc(file); c != EOF; c = std::fgetc(file)) all.push_back(static_cast<char>(c));
  std::fclose(file);
  std::vector<std::string> arguments;
  for (std::size_t at = 0; at < all.size(); at += arguments.back().size() + 1) arguments.emplace_back(all.c_str() + at);
  return arguments;
}

}  // namespace

std::size_t read_small_file(const char* path, char* room, std::size_t size) noexcept {
  const int fd = ::open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return 0;
  const ssize_t got = ::read(fd, room, size - 1);
  ::close(fd);
  const std::size_t length = got > 0 ? static_cast<std::size_t>(got) : 0;
  room[length] = '\0';
  return length;
}

std::size_t read_file_in_pieces(const char* path, char* room, std::size_t size) noexcept {
  const int fd = ::open(path, O_RDONLY | O_CLOEXEC);
  std::size_t length = 0;
  for (ssize_t got = 1; fd >= 0 && got > 0 && length < size - 1;) {
    got = ::read(fd, room + length, size - 1 - length);
    if (got > 0) length += static_cast<std::size_t>(got);
  }
  if (fd >= 0) ::close(fd);
  room[length] = '\0';
  return length;
}

Fd pidfd_of(pid_t pid) noexcept { return Fd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0))); }

Result<Fd> open_pidfd(pid_t pid) {
  Fd fd = pidfd_of(pid);
  if (!fd) return failed("pidfd_open(" + std::to_string(pid) + ")");
  return fd;
}

namespace {

Delivery delivery_of(long result) noexcept {
  if (result == 0) return Delivery::sent;
  return errno == ESRCH ? Delivery::gone : Delivery::refused;
}

/// As waitpid has it.
int wait_status_of(const siginfo_t& info) noexcept {
  constexpr int core_dumped = 0x80;
  if (info.si_code == CLD_EXITED) return (info.si_status & 0xFF) << 8;
  return info.si_status | (info.si_code == CLD_DUMPED ? core_dumped : 0);
}

void take_usage(const rusage& usage, ExitStatus& status) noexcept {
  status.usage_known = true;
  status.peak_rss_bytes = static_cast<std::uint64_t>(usage.ru_maxrss) * 1024;
  status.cpu_us =
      (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1'000'000 + usage.ru_utime.tv_usec + usage.ru_stime.tv_usec;
}

}  // namespace

Delivery signal_process(const Fd& pidfd, int signal) noexcept {
  if (!pidfd.is_ours()) return Delivery::refused;
  return delivery_of(::syscall(SYS_pidfd_send_signal, pidfd.get(), signal, nullptr, 0));
}

Delivery signal_group(pid_t group, int signal) noexcept {
  return group > 1 ? delivery_of(::kill(-group, signal)) : Delivery::gone;
}

Delivery signal_child(pid_t pid, int signal) noexcept {
  return pid > 1 ? delivery_of(::kill(pid, signal)) : Delivery::gone;
}

ExitStatus reap_child(pid_t pid) noexcept {
  ExitStatus status;
  rusage usage{};
  if (retry([&] { return ::wait4(pid, &status.wait_status, 0, &usage); }) != pid) return {};
  status.known = true;
  take_usage(usage, status);
  return status;
}

ExitStatus reap_child(const Fd& pidfd) noexcept {
  constexpr int by_pidfd = 3;  // P_PIDFD, Linux 5.4
  if (!pidfd.is_ours()) return {};
  siginfo_t info{};
  rusage usage{};
  ExitStatus status;
  const long reaped =
      retry([&] { return ::syscall(SYS_waitid, by_pidfd, pidfd.get(), &info, WEXITED | WNOHANG, &usage); });
  if (reaped != 0 || info.si_pid == 0) return status;
  status.known = true;
  status.wait_status = wait_status_of(info);
  take_usage(usage, status);
  return status;
}

bool is_own_child(pid_t pid) noexcept {
  siginfo_t info{};
  return pid > 0 && ::waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | WNOHANG | WNOWAIT) == 0;
}

bool child_has_ended(pid_t pid) noexcept {
  siginfo_t info{};
  return ::waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid == pid;
}

std::optional<int> reap_if_ended(pid_t pid) noexcept {
  int status = -1;
  const pid_t reaped = retry([&] { return ::waitpid(pid, &status, WNOHANG); });
  if (reaped == 0) return std::nullopt;
  return reaped == pid ? status : -1;
}

ExitStatus exit_status_of(const Fd& pidfd) noexcept {
  PidfdInfo info{};
  info.mask = pidfd_info_exit;
  ExitStatus status;
  if (!pidfd.is_ours()) return status;
  if (::ioctl(pidfd.get(), pidfd_get_info, &info) != 0 || (info.mask & pidfd_info_exit) == 0) return status;
  status.known = true;
  status.wait_status = info.exit_code;
  return status;
}

bool exited(const Fd& pidfd) noexcept {
  if (!pidfd.is_ours()) return false;
  pollfd state{pidfd.get(), POLLIN, 0};
  return ::poll(&state, 1, 0) == 1 && !teller_gone(pidfd);
}

bool leads_group_of_our_session(pid_t pid) noexcept {
  return pid > 1 && ::getpgid(pid) == pid && ::getsid(pid) == ::getsid(0);
}

void offer_to_oom_killer() noexcept { append_to_file("/proc/self/oom_score_adj", "500"); }

void wait_exit(const Fd& pidfd) noexcept {
  if (!pidfd.is_ours()) return;
  pollfd state{pidfd.get(), POLLIN, 0};
  retry([&] { return ::poll(&state, 1, -1); });
}

bool wait_exit(const Fd& pidfd, std::chrono::milliseconds at_most) noexcept {
  if (!pidfd.is_ours()) return false;
  const auto end = std::chrono::steady_clock::now() + at_most;
  for (;;) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(end - std::chrono::steady_clock::now());
    pollfd state{pidfd.get(), POLLIN, 0};
    const int ready = ::poll(&state, 1, static_cast<int>(std::max<std::int64_t>(left.count(), 0)));
    if (ready == 1) return true;
    if (left.count() <= 0) return false;
  }
}

Result<pid_t> fork_process() {
  const pid_t pid = ::fork();
  if (pid < 0) return failed("fork()");
  return pid;
}

void exit_now(int code) noexcept { ::_exit(code); }

Result<pid_t> spawn(const std::vector<std::string>& command, const std::string& variable, const std::string& value,
                    const std::vector<int>& kept) {
  std::vector<std::string> arguments = command;
  if (command.empty()) {
    auto own = own_arguments();
    if (!own) return own.failure();
    arguments = std::move(*own);
  }
  std::vector<char*> argv;
  for (std::string& argument : arguments) argv.push_back(argument.data());
  argv.push_back(nullptr);
  std::string setting = variable + "=" + value;
  std::vector<char*> environment;
  for (char** entry = environ; *entry != nullptr; ++entry)
    if (std::strncmp(*entry, variable.c_str(), variable.size()) != 0 || (*entry)[variable.size()] != '=')
      environment.push_back(*entry);
  environment.push_back(setting.data());
  environment.push_back(nullptr);

  // dup2 onto itself clears close-on-exec in the child only, so that no other thread's child can inherit it.
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  for (const int fd : kept) posix_spawn_file_actions_adddup2(&actions, fd, fd);
  const char* program = command.empty() ? "/proc/self/exe" : arguments.front().c_str();
  pid_t pid = -1;
  const int error = ::posix_spawnp(&pid, program, &actions, nullptr, argv.data(), environment.data());
  posix_spawn_file_actions_destroy(&actions);
  if (error != 0) return Failure{error, "posix_spawn(" + std::string(program) + ")" + why_nothing_starts()};
  return pid;
}

pid_t own_pid() noexcept { return static_cast<pid_t>(::syscall(SYS_getpid)); }

Status become_group_leader() {
  if (::setpgid(0, 0) != 0) return failed("setpgid(0, 0)");
  return Done{};
}

void make_group_leader(pid_t child) noexcept {
  ::setpgid(child, child);  // refused: it has done so itself, or is gone
}

void wait_for_other_parent(pid_t parent) noexcept {
  while (::getppid() == parent) {
    auto pidfd = open_pidfd(parent);
    if (!pidfd) ::sched_yield();  // it is about to end
    // Still our parent after that: the number was its own, and the pidfd is.
    if (pidfd && ::getppid() == parent) wait_exit(*pidfd);
  }
}

Status adopt_orphans() {
  if (::prctl(PR_SET_CHILD_SUBREAPER, 1) != 0) return failed("prctl(PR_SET_CHILD_SUBREAPER)");
  return Done{};
}

std::vector<pid_t> own_children() {
  const std::string path = "/proc/self/task/" + std::to_string(own_thread_id()) + "/children";
  std::vector<pid_t> children;
  std::FILE* file = std::fopen(path.c_str(), "re");
  if (file == nullptr) return children;
  int pid = 0;
  while (std::fscanf(file, "%d", &pid) == 1) children.push_back(pid);
  std::fclose(file);
  return children;
}

namespace {

/// Without /proc: the kernel refuses this to whoever has threads, and for others it changes nothing.
bool has_several_threads() noexcept { return ::unshare(CLONE_THREAD) != 0 && errno == EINVAL; }

}  // namespace

int own_threads() {
  std::FILE* file = std::fopen("/proc/self/status", "re");
  if (file == nullptr) return has_several_threads() ? 2 : 1;
  char line[256];
  int threads = 1;
  while (std::fgets(line, sizeof line, file) != nullptr)
    if (std::sscanf(line, "Threads: %d", &threads) == 1) break;
  std::fclose(file);
  return threads;
}

std::size_t descriptor_limit() noexcept {
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  return static_cast<std::size_t>(limit.rlim_cur);
}

void set_title(const std::string& title) noexcept { ::prctl(PR_SET_NAME, title.substr(0, 15).c_str()); }

void allow_tracer(pid_t pid) noexcept { ::prctl(PR_SET_PTRACER, pid); }

void forbid_core_dumps() noexcept {
  rlimit limit{};
  ::getrlimit(RLIMIT_CORE, &limit);
  limit.rlim_cur = 0;
  ::setrlimit(RLIMIT_CORE, &limit);
}

void append_to_file(const char* path, const char* line) noexcept {
  const Fd file(::open(path, O_WRONLY | O_APPEND | O_CLOEXEC));
  char text[64] = {};
  std::strncpy(text, line, sizeof text - 2);
  text[std::strlen(text)] = '\n';
  if (file) retry([&] { return ::write(file.get(), text, std::strlen(text)); });
}

void redirect_stderr(const Fd& to) noexcept { ::dup2(to.get(), STDERR_FILENO); }

MemoryInUse memory_in_use() noexcept {
  std::array<char, 256> text;
  if (read_small_file("/proc/self/statm", text.data(), text.size()) == 0) return {};
  return parse_statm(text.data());
}

void widen_data_limit(std::uint64_t by_bytes) noexcept {
  rlimit limit{};
  ::getrlimit(RLIMIT_DATA, &limit);
  limit.rlim_cur += std::min<rlim_t>(by_bytes, limit.rlim_max - limit.rlim_cur);
  ::setrlimit(RLIMIT_DATA, &limit);
}

}  // namespace hotspare::os
