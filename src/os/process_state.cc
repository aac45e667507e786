#include "os/process_state.hpp"

#include "os/end_teller.hpp"

#include <array>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <dirent.h>
#include <sys/wait.h>
#include <unistd.h>

namespace hotspare::os {
namespace {

/// PF_… of include/linux/sched.h.
constexpr unsigned exiting = 0x4;
constexpr unsigned forked_without_exec = 0x40;
constexpr unsigned killed_by_a_signal = 0x400;

struct Stat {
  std::string name;  ///< At most 15 bytes, for which no memory is needed.
  char state = 0;
  unsigned flags = 0;
  int exit_code = 0;  ///< As wait() tells it; 0: has none yet, or it may not be read.
};
/// Of a process or thread: path is that of its stat file.
std::optional<Stat> stat_at(const char* path) {
  // pid (name) state ppid pgrp session tty_nr tpgid flags … exit_code. The name may hold anything, so from its end.
  std::array<char, 1024> text;
  if (read_small_file(path, text.data(), text.size()) == 0) return std::nullopt;
  const char* name = std::strchr(text.data(), '(');
  const char* name_end = std::strrchr(text.data(), ')');
  Stat stat;
  if (name == nullptr || name_end == nullptr ||
      std::sscanf(name_end, ") %c %*d %*d %*d %*d %*d %u", &stat.state, &stat.flags) != 2)
    return std::nullopt;
  stat.name.assign(name + 1, name_end);
  stat.exit_code = static_cast<int>(std::strtol(std::strrchr(text.data(), ' ') + 1, nullptr, 10));
  return stat;
}
std::optional<Stat> stat_of(pid_t pid) {
  std::array<char, 32> path;
  std::snprintf(path.data(), path.size(), "/proc/%d/stat", pid);
  return stat_at(path.data());
}

/// Whether SIGKILL waits for this thread, as it does for all of a process that was killed.
bool is_to_be_killed(const char* status) {
  std::array<char, 4096> text;
  if (read_small_file(status, text.data(), text.size()) == 0) return true;
  const char* pending = std::strstr(text.data(), "\nSigPnd:\t");
  return pending == nullptr || (std::strtoull(pending + 9, nullptr, 16) >> (SIGKILL - 1) & 1) != 0;
}

/// A thread of a process that is killed loses its pending SIGKILL when it takes it, is marked as killed then, and as exiting
/// later: looked at in that order, one of the three shows. The kernel has no more exact word for "the whole process dies".
bool lives_on(pid_t pid, pid_t thread) {
  std::array<char, 64> path;
  std::snprintf(path.data(), path.size(), "/proc/%d/task/%d/status", pid, thread);
  if (is_to_be_killed(path.data())) return false;
  std::snprintf(path.data(), path.size(), "/proc/%d/task/%d/stat", pid, thread);
  const std::optional<Stat> stat = stat_at(path.data());
  return stat && (stat->flags & (exiting | killed_by_a_signal)) == 0;
}

}  // namespace

ExitStatus status_of_zombie(pid_t pid, const Fd& pidfd) noexcept {
  ExitStatus status;
  const std::optional<Stat> stat = stat_of(pid);
  if (!stat || stat->state != 'Z' || !exited(pidfd)) return status;
  status.wait_status = stat->exit_code;
  std::array<char, 32> path;
  std::snprintf(path.data(), path.size(), "/proc/%d/environ", pid);
  status.known = status.wait_status != 0 || ::access(path.data(), R_OK) == 0;
  return status;
}

bool runs(pid_t pid, const Fd& pidfd) noexcept {
  const std::optional<Stat> stat = stat_of(pid);
  // Not exited by now: what was read was not another process that got its number.
  return stat && (stat->flags & exiting) == 0 && !exited(pidfd);
}

std::optional<std::string> program_after_exec(pid_t pid) {
  std::optional<Stat> stat = stat_of(pid);
  if (!stat || (stat->flags & forked_without_exec) != 0) return std::nullopt;
  return std::move(stat->name);
}

bool outlives_its_main_thread(pid_t pid) {
  const std::optional<Stat> main_thread = stat_of(pid);
  if (!main_thread || (main_thread->flags & exiting) == 0) return false;
  // No thread dies of a signal alone.
  if (WIFSIGNALED(main_thread->exit_code)) return false;
  std::array<char, 64> path;
  std::snprintf(path.data(), path.size(), "/proc/%d/task", pid);
  DIR* const tasks = ::opendir(path.data());  // std::filesystem ends the program where there is no memory for it
  if (tasks == nullptr) return false;
  bool another_lives = false;
  while (const dirent* each = ::readdir(tasks)) {
    const auto thread = static_cast<pid_t>(std::strtol(each->d_name, nullptr, 10));
    another_lives = another_lives || (thread > 0 && thread != pid && lives_on(pid, thread));
  }
  ::closedir(tasks);
  return another_lives;
}

bool is_stopped(pid_t pid) noexcept {
  const std::optional<Stat> stat = stat_of(pid);
  return stat && stat->state == 'T';
}

bool would_handle(pid_t pid, int signal) noexcept {
  std::array<char, 4096> text;
  std::array<char, 32> path;
  std::snprintf(path.data(), path.size(), "/proc/%d/status", pid);
  if (read_small_file(path.data(), text.data(), text.size()) == 0) return false;
  const auto field = [&](const char* name) { return std::strstr(text.data(), name); };
  const auto has = [&](const char* name) {
    const char* line = field(name);
    return line != nullptr && (std::strtoull(line + std::strlen(name), nullptr, 16) >> (signal - 1) & 1) != 0;
  };
  const char* state = field("\nState:\t");
  if (state == nullptr || state[8] == 'T' || state[8] == 't') return false;
  return has("\nSigCgt:\t") && !has("\nSigBlk:\t");
}

Activity activity_of(pid_t pid) noexcept {
  std::array<char, 128> text;
  std::array<char, 48> path;
  Activity activity;
  const std::optional<Stat> stat = stat_of(pid);
  if (!stat) return activity;
  activity.runnable = stat->state == 'R';
  std::snprintf(path.data(), path.size(), "/proc/%d/schedstat", pid);
  if (read_small_file(path.data(), text.data(), text.size()) != 0)
    activity.cpu_ns = std::strtoll(text.data(), nullptr, 10);
  return activity;
}

}  // namespace hotspare::os
