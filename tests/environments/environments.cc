#include "situation.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <fstream>
#include <iostream>
#include <iterator>
#include <sstream>
#include <string>
#include <string_view>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>
#include <vector>

/// environments SITUATION fork|exec: makes the situation, and lives a pool's and a channel's whole life in it. Nobody may be left
/// then. 77: it cannot be made here.
/// environments --all [--guest]: all of them, one after the other; --guest: this machine is there for nothing else.
/// environments --names NAME… DOCS: exactly these can be made anywhere, and the table in DOCS is that of this program.
namespace hotspare::testing {
namespace {

std::vector<Situation> all_situations() {
  std::vector<Situation> all;
  for (const auto part :
       {process_situations(), rights_situations(), limit_situations(), file_situations(), machine_situations()})
    all.insert(all.end(), part.begin(), part.end());
  return all;
}

void live(const Situation& situation, Start start) {
  const Outcome outcome = start == Start::exec ? situation.with_exec : situation.with_fork;
  situation.make();
  Life life{.start = start, .idles = false, .stacks = situation.stacks, .meanwhile = situation.meanwhile};
  if (outcome.expected == Expected::says) life.says = outcome.word;
  try {
    if (situation.live != nullptr) {
      situation.live(start);
    } else {
      pool_lives(life);
      if (situation.meanwhile == nullptr) channel_lives(life);
    }
    check(outcome.expected != Expected::refuses, "it is refused");
  } catch (const Error& error) {
    ::dprintf(report_fd(), "refused: %s\n", error.what());
    const bool in_words = std::string_view(error.what()).find(outcome.word) != std::string_view::npos;
    check(outcome.expected == Expected::refuses && in_words, "it is refused where it must be, and says why");
  }
}

/// Kills what shall die while the host is stopped, and lets that go on.
void mind_stopped(pid_t host) {
  if (shared().worker != 0) ::kill(static_cast<pid_t>(shared().worker), SIGKILL);
  ::kill(host, SIGCONT);
}

/// What is written to it goes to standard error, which may be a file: a limit on files would hold for that, too.
int pass_on() {
  std::array<int, 2> told;
  need(::pipe2(told.data(), O_CLOEXEC), "a pipe");
  if (::fork() == 0) {
    ::close(told[1]);
    std::array<char, 4096> text;
    for (ssize_t size = 0; (size = ::read(told[0], text.data(), text.size())) > 0;)
      static_cast<void>(::write(STDERR_FILENO, text.data(), static_cast<std::size_t>(size)));
    std::_Exit(0);
  }
  ::close(told[0]);
  return told[1];
}

/// In a child, so that whoever is left in the end is ours: this returns when nobody is.
int run(const Situation& situation, Start start) {
  const int told = pass_on();
  shared() = {};
  ::prctl(PR_SET_CHILD_SUBREAPER, 1);
  const pid_t host = ::fork();
  if (host == 0) {
    ::dup2(told, STDERR_FILENO);
    ::close(told);
    live(situation, start);
    std::_Exit(failures() == 0 ? 0 : 1);
  }
  ::close(told);
  int code = 1;
  for (;;) {
    int status = 0;
    const pid_t pid = ::waitpid(-1, &status, WUNTRACED);
    if (pid < 0 && errno != EINTR) break;
    if (pid != host) continue;
    if (WIFSTOPPED(status)) {
      mind_stopped(host);
      continue;
    }
    code = WIFEXITED(status) ? WEXITSTATUS(status) : 1;
    if (WIFSIGNALED(status)) ::dprintf(report_fd(), "FAILED: the host died of signal %d\n", WTERMSIG(status));
  }
  leave_group();
  if (situation.undo != nullptr && code != 77) situation.undo();
  return code;
}

const char* name_of(Start start) { return start == Start::exec ? "exec" : "fork"; }

/// Each in a program of its own, because some start that afresh.
int run_all(const char* program, bool guest) {
  int failed = 0;
  for (const Situation& situation : all_situations()) {
    if (situation.reach == Reach::machine && !guest) continue;
    for (const Start start : {Start::fork, Start::exec}) {
      std::cout.flush();
      const pid_t child = ::fork();
      if (child == 0) {
        ::execl("/proc/self/exe", program, situation.name.data(), name_of(start), guest ? "--guest" : nullptr, nullptr);
        std::_Exit(127);
      }
      int status = 0;
      ::waitpid(child, &status, 0);
      const int code = WIFEXITED(status) ? WEXITSTATUS(status) : 1;
      if (code != 0 && code != 77) ++failed;
      std::cout << (code == 0    ? "ok      "
                    : code == 77 ? "skipped "
                                 : "FAILED  ")
                << situation.name << " " << name_of(start) << std::endl;
    }
  }
  return failed == 0 ? 0 : 1;
}

std::string row_of(const Situation& situation) {
  return "| " + std::string(situation.what) + " | " + std::string(situation.told) + " |";
}

/// Each row of ours, in our order, stands in the docs, and no other in a table that begins with ours.
int compare(const std::vector<std::string_view>& names, const char* docs) {
  int wrong = 0;
  const auto complain = [&](const std::string& what) {
    ++wrong;
    std::cerr << what << '\n';
  };
  std::vector<std::string_view> ours;
  std::vector<std::string> rows;
  for (const Situation& situation : all_situations()) {
    if (situation.reach == Reach::own) ours.push_back(situation.name);
    if (!situation.what.empty()) rows.push_back(row_of(situation));
  }
  for (const std::string_view name : names)
    if (std::find(ours.begin(), ours.end(), name) == ours.end()) complain("no such situation: " + std::string(name));
  for (const std::string_view name : ours)
    if (std::find(names.begin(), names.end(), name) == names.end()) complain("not run: " + std::string(name));
  std::vector<std::string> told;
  std::ifstream file(docs);
  bool within = false;
  for (std::string line; std::getline(file, line);) {
    if (!rows.empty() && line == rows.front()) within = true;
    within = within && line.starts_with("|");
    if (within) told.push_back(line);
  }
  if (told != rows) {
    complain(std::string(docs) + " must have this table:");
    for (const std::string& row : rows) std::cerr << row << '\n';
  }
  return wrong == 0 ? 0 : 1;
}

int main(int argc, char** argv) {
  const std::vector<std::string_view> words(argv, argv + argc);
  const bool guest = words.size() > 1 && words.back() == "--guest";
  if (argc > 1 && words[1] == "--all") return run_all(argv[0], guest);
  if (argc > 3 && words[1] == "--names") return compare({words.begin() + 2, words.end() - 1}, argv[argc - 1]);
  if (argc < 3) return 2;
  for (const Situation& situation : all_situations()) {
    if (situation.name != words[1]) continue;
    if (situation.reach == Reach::machine && !guest) skip("it would concern the whole machine");
    return run(situation, words[2] == "exec" ? Start::exec : Start::fork);
  }
  std::cerr << "no such situation: " << words[1] << '\n';
  return 2;
}

}  // namespace
}  // namespace hotspare::testing

int main(int argc, char** argv) {
  hotspare::init(argc, argv);
  return hotspare::testing::main(argc, argv);
}
