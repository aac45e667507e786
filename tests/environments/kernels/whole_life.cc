#include <hotspare/hotspare.hpp>

#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <sstream>
#include <string>
#include <string_view>
#include <unistd.h>
#include <vector>

/// A pool's whole life in one program that needs no test framework, so that it runs where nothing but itself can be had:
/// 200 tasks of which 10 kill their worker, a deadline, and then idleness. Prints what came of it; exit code 0 if all of it
/// was right.
///     whole_life fork|exec [SECONDS]
/// SECONDS: for so long it idles; if all its processes together use more than 1 % of a core then, that is wrong.
namespace {

int failures = 0;

void expect(bool right, const std::string& what) {
  if (right) return;
  ++failures;
  std::cout << "WRONG: " << what << std::endl;
}

void deaths_and_a_deadline(hotspare::Pool& pool) {
  constexpr int tasks = 200;
  std::vector<hotspare::Future<int>> futures;
  for (int i = 0; i < tasks; ++i)
    futures.push_back(pool.submit(
        [](int n) {
          if (n % 20 == 7) ::raise(n % 40 == 7 ? SIGKILL : SIGSEGV);
          return 3 * n;
        },
        i));
  int good = 0;
  int died = 0;
  for (int i = 0; i < tasks; ++i) {
    const auto outcome = futures[static_cast<std::size_t>(i)].outcome();
    if (const auto report = outcome.report()) {
      ++died;
      expect(i % 20 == 7, "task " + std::to_string(i) + " died: " + report->text());
      const int signal = i % 40 == 7 ? SIGKILL : SIGSEGV;
      expect(report->signal == signal, "task " + std::to_string(i) + " is told to have died of: " + report->summary());
    } else {
      ++good;
      expect(outcome.value() == 3 * i, "task " + std::to_string(i) + " gave a wrong value");
    }
  }
  hotspare::TaskOptions limited;
  limited.timeout = std::chrono::milliseconds(100);
  const auto hung = pool.submit(limited, [] {
    for (;;) ::pause();
  });
  const auto outcome = hung.outcome();
  const bool timed_out = outcome.report() != nullptr && outcome.report()->cause == hotspare::Cause::deadline;
  expect(timed_out, "a task that hangs did not end at its deadline");
  std::cout << "good " << good << " died " << died << " deadline " << (timed_out ? "held" : "NOT held") << std::endl;
}

/// utime + stime of a process, in ticks.
std::uint64_t ticks_of(std::int64_t pid) {
  std::ifstream stat("/proc/" + std::to_string(pid) + "/stat");
  std::string line;
  std::getline(stat, line);
  const auto name_end = line.rfind(')');
  if (name_end == std::string::npos) return 0;
  std::istringstream fields(line.substr(name_end + 2));
  std::string skipped;
  for (int i = 0; i < 11; ++i) fields >> skipped;
  std::uint64_t user = 0;
  std::uint64_t system = 0;
  fields >> user >> system;
  return user + system;
}

void idle(hotspare::Pool& pool, int seconds) {
  std::vector<std::int64_t> pids = pool.started_pids(3);
  pids.push_back(pool.zygote_pid());
  pids.push_back(::getpid());
  const auto used = [&pids] {
    std::uint64_t ticks = 0;
    for (const std::int64_t pid : pids) ticks += ticks_of(pid);
    return static_cast<double>(ticks) / static_cast<double>(::sysconf(_SC_CLK_TCK));
  };
  ::sleep(1);  // style: what came before settles
  const double before = used();
  ::sleep(static_cast<unsigned>(seconds));  // style: idleness is what is measured
  const double percent = 100 * (used() - before) / seconds;
  std::cout << "idle " << percent << " % of a core" << std::endl;
  expect(percent <= 1, "idle, it uses more than 1 % of a core");
}

}  // namespace

int main(int argc, char** argv) {
  hotspare::init(argc, argv);
  const std::string_view start = argc > 1 ? argv[1] : "fork";
  const int seconds = argc > 2 ? std::atoi(argv[2]) : 5;
  hotspare::PoolOptions options;
  options.workers = 2;
  options.spares = 1;
  options.start = start == "exec" ? hotspare::Start::exec : hotspare::Start::fork;
  options.worker_stderr = hotspare::Stderr::capture;
  try {
    hotspare::Pool pool(options);
    deaths_and_a_deadline(pool);
    idle(pool, seconds);
    pool.shutdown();
  } catch (const hotspare::Error& error) {
    std::cout << "REFUSED: " << error.what() << std::endl;
    return 2;
  }
  std::cout << (failures == 0 ? "ALL RIGHT" : "NOT RIGHT") << std::endl;
  return failures == 0 ? 0 : 1;
}
