#include "situation.hpp"
#include "support/refuse_calls.hpp"

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <grp.h>
#include <string>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#include <vector>

namespace hotspare::testing {
namespace {

void limit(__rlimit_resource_t which, rlim_t most) {
  const rlimit both{most, most};
  need(::setrlimit(which, &both), "setrlimit");
}

void limit_descriptors(rlim_t most) {
  report_fd();
  limit(RLIMIT_NOFILE, most);
}

/// Of a user of its own, because others' processes count, too; root is never refused any.
void limit_processes(rlim_t most) {
  const auto user = static_cast<uid_t>(50'000 + ::getpid() % 10'000);
  need(::setgroups(0, nullptr), "setgroups");
  need(::setresgid(user, user, user), "setresgid");
  limit(RLIMIT_NPROC, most);
  need(::setresuid(user, user, user), "setresuid");
}

void limit_address_space(rlim_t more) {
  if (under_sanitizer()) skip("a sanitizer maps terabytes");
  std::ifstream statm("/proc/self/statm");
  rlim_t pages = 0;
  statm >> pages;
  limit(RLIMIT_AS, pages * static_cast<rlim_t>(::sysconf(_SC_PAGESIZE)) + more);
}

constexpr rlim_t files_of_16_mb = rlim_t{16} << 20;

/// SIGXFSZ would end the host.
void send_more_than_a_file(Pool& pool) {
  const auto refused = [](const auto& run) {
    try {
      run();
      return false;
    } catch (const Error& error) {
      ::dprintf(report_fd(), "refused: %s\n", error.what());
      return std::string_view(error.what()).find("RLIMIT_FSIZE") != std::string_view::npos;
    }
  };
  const auto much = [] { return std::string(std::size_t{20} << 20, 'a'); };
  check(refused([&] { pool.submit([](const std::string& text) { return text.size(); }, much()).get(); }),
        "arguments larger than a file may be are refused in words");
  check(refused([&] { pool.submit(much).get(); }), "such a result is an error of its task");
}

void limit_tasks_of_group(const char* most) { enter_group("pids", "pids.max", "pids.max", most); }

std::string large(std::size_t bytes, char with) { return std::string(bytes, with); }

/// What the kernel must kill for.
std::size_t take(std::size_t bytes) {
  std::vector<char> all(bytes);
  for (std::size_t at = 0; at < bytes; at += 4096) all[at] = static_cast<char>(at);
  return all.size();
}

/// Of what its results and arguments took nothing may be left that it dies of, nor of one task that takes too much.
void live_in_little_memory(Start start) {
  PoolOptions options;
  options.workers = 2;
  options.start = start;
  Pool pool(options);
  constexpr std::size_t much = std::size_t{30} << 20;
  for (int i = 0; i < 40; ++i) {
    const std::string back = pool.submit([](const std::string& text) { return text; }, large(much, 'a')).get();
    check(back.size() == much && back.back() == 'a', "large arguments and results are right");
  }
  const auto greedy = pool.submit(take, std::size_t{1} << 30);
  const auto report = greedy.outcome().report();
  check(report != nullptr && report->cause == Cause::out_of_memory,
        "who takes too much dies of that, and that is told");
  if (report != nullptr) ::dprintf(report_fd(), "%s\n", report->summary().c_str());
  check(pool.submit([](int x) { return x + 1; }, 1).get() == 2, "work goes on");
}

const Situation table[] = {
    {.name = "few_descriptors",
     .what = "48 descriptors (`ulimit -n`)",
     .told = "Works.",
     .make = [] { limit_descriptors(48); }},
    {.name = "too_few_descriptors",
     .what = "16 descriptors",
     .told = "Refuses: three workers need more.",
     .make = [] { limit_descriptors(16); },
     .with_fork = {Expected::refuses, "descriptors"},
     .with_exec = {Expected::refuses, "descriptors"}},
    {.name = "few_processes",
     .what = "40 processes and threads (`ulimit -u`)",
     .told = "Works.",
     .make = [] { limit_processes(40); }},
    {.name = "too_few_processes",
     .what = "3 processes and threads",
     .told = "Refuses.",
     .make = [] { limit_processes(3); },
     .with_fork = {Expected::refuses, "Resource temporarily unavailable"},
     .with_exec = {Expected::refuses, "Resource temporarily unavailable"}},
    {.name = "pids_of_group",
     .what = "a cgroup of 40 processes and threads (`pids.max`)",
     .told = "Works.",
     .make = [] { limit_tasks_of_group("40"); }},
    {.name = "too_few_pids_of_group",
     .what = "a cgroup of 3",
     .told = "Refuses.",
     .make = [] { limit_tasks_of_group("3"); },
     .with_fork = {Expected::refuses, "Resource temporarily unavailable"},
     .with_exec = {Expected::refuses, "Resource temporarily unavailable"}},
    {.name = "little_address_space",
     .what = "600 MB of addresses more (`ulimit -v`)",
     .told = "Works.",
     .make = [] { limit_address_space(rlim_t{600} << 20); }},
    {.name = "too_little_address_space",
     .what = "4 MB of addresses more",
     .told = "Refuses.",
     .make = [] { limit_address_space(rlim_t{4} << 20); },
     .with_fork = {Expected::refuses, "cannot be made"},
     .with_exec = {Expected::refuses, "cannot be made"}},
    {.name = "small_files",
     .what = "files of at most 16 MB (`ulimit -f`)",
     .told = "Works: arguments and results beyond that are errors of their task.",
     .make = [] { limit(RLIMIT_FSIZE, files_of_16_mb); },
     .meanwhile = send_more_than_a_file},
    {.name = "no_files",
     .what = "files of at most 0 bytes",
     .told = "Refuses.",
     .make = [] { limit(RLIMIT_FSIZE, 0); },
     .with_fork = {Expected::refuses, "RLIMIT_FSIZE"},
     .with_exec = {Expected::refuses, "RLIMIT_FSIZE"}},
    {.name = "group_of_700_mb",
     .what = "a cgroup of 700 MB",
     .told = "Works: bounds come from it, and a task that takes more is told to have died of that.",
     .make = [] { enter_group("memory", "memory.limit_in_bytes", "memory.max", "734003200"); },
     .live = live_in_little_memory},
};

}  // namespace

std::span<const Situation> limit_situations() { return table; }

}  // namespace hotspare::testing
