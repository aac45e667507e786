#include "jack_server.hpp"

#include <hotspare/error.hpp>

#include <audio/jack_client.hpp>

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <system_error>
#include <vector>

extern char** environ;  // NOLINT(readability-redundant-declaration): POSIX leaves it to the program

namespace hotspare::audio::testing {

namespace {

pid_t spawn(const std::vector<std::string>& command) {
  std::vector<char*> arguments;
  for (const std::string& each : command) arguments.push_back(const_cast<char*>(each.c_str()));
  arguments.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  for (const int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO})
    posix_spawn_file_actions_addopen(&actions, fd, "/dev/null", O_RDWR, 0);
  pid_t pid = -1;
  const int error = posix_spawnp(&pid, arguments[0], &actions, nullptr, arguments.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  return error == 0 ? pid : -1;
}

}  // namespace

JackServer::JackServer(unsigned rate, unsigned period, int priority)
    : name_("hotspare_test_" + std::to_string(getpid())) {
  // It goes when we go, however that is.
  pid_ = spawn({"setpriv", "--pdeathsig", "TERM", "jackd", "-n", name_, "-R", "-P", std::to_string(priority), "-d",
                "dummy", "-r", std::to_string(rate), "-p", std::to_string(period)});
  if (pid_ < 0) {
    why_ = "setpriv (Debian: util-linux) is not installed";
    return;
  }
  // It tells nobody when it is ready, but it may end: each wait is for that, and a fiftieth of a second at most.
  const int fd = static_cast<int>(syscall(SYS_pidfd_open, pid_, 0));
  pollfd end{.fd = fd, .events = POLLIN};
  while (!answers())
    if (poll(&end, 1, 20) != 0) {
      waitpid(pid_, nullptr, 0);
      pid_ = -1;
      why_ = "jackd does not come up here, or is not installed (Debian: jackd2)";
      break;
    }
  close(fd);
}

bool JackServer::answers() const {
  try {
    const JackClient client({.name = "is_it_there", .server = name_});
    return true;
  } catch (const Error&) {
    return false;
  }
}

void JackServer::freeze() { kill(pid_, SIGSTOP); }

void JackServer::stop() {
  if (pid_ <= 0) return;
  kill(pid_, SIGTERM);
  kill(pid_, SIGCONT);
  waitpid(pid_, nullptr, 0);
  pid_ = -1;
}

/// A client that outlives its server leaves a semaphore behind.
JackServer::~JackServer() {
  stop();
  std::error_code ignored;
  for (const auto& entry : std::filesystem::directory_iterator("/dev/shm", ignored))
    if (entry.path().filename().string().find("_" + name_ + "_") != std::string::npos)
      std::filesystem::remove(entry.path(), ignored);
}

}  // namespace hotspare::audio::testing
