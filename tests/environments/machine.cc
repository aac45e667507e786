#include "situation.hpp"

#include <csignal>
#include <cstdlib>
#include <ctime>
#include <string>
#include <unistd.h>
#include <vector>

namespace hotspare::testing {
namespace {

constexpr const char* overcommit = "/proc/sys/vm/overcommit_memory";
constexpr const char* ptrace_scope = "/proc/sys/kernel/yama/ptrace_scope";

void set_yama(const char* scope) {
  if (::access(ptrace_scope, F_OK) != 0) skip("this kernel has no Yama");
  write_to(ptrace_scope, scope);
}

void shift_clock(std::time_t by) {
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME, &now);
  now.tv_sec += by;
  need(::clock_settime(CLOCK_REALTIME, &now), "setting the clock");
}
constexpr std::time_t year = 365 * 24 * 3600;

void group_killed_whole() {
  enter_group("memory", nullptr, "memory.max", "314572800");
  enter_group("memory", nullptr, "memory.oom.group", "1");
}

std::size_t take(std::size_t bytes) {
  std::vector<char> all(bytes);
  for (std::size_t at = 0; at < bytes; at += 4096) all[at] = static_cast<char>(at);
  return all.size();
}

void live_where_one_takes_all_along(Start start) {
  pool_lives({.start = start, .says = "memory.oom.group", .idles = false});
  PoolOptions options;
  options.workers = 2;
  options.start = start;
  Pool pool(options);
  const auto greedy = pool.submit(take, std::size_t{600} << 20);
  const auto report = greedy.outcome().report();
  check(report != nullptr && report->cause == Cause::memory_limit,
        "who takes too much is ended before the kernel ends all");
  if (report != nullptr) ::dprintf(report_fd(), "%s\n", report->text().c_str());
  check(pool.submit([](int x) { return x + 1; }, 1).get() == 2, "work goes on");
}

const Situation table[] = {
    {.name = "clock_set_back",
     .what = "the clock set back by a year",
     .told = "Works.",
     .make = [] {},
     .meanwhile = [](Pool& /*pool*/) { shift_clock(-year); },
     .reach = Reach::machine,
     .undo = [] { shift_clock(year); }},
    {.name = "strict_overcommit",
     .what = "`vm.overcommit_memory=2`",
     .told = "Works: room is made sure of before the host touches it.",
     .make = [] { write_to(overcommit, "2"); },
     .reach = Reach::machine,
     .undo = [] { write_to(overcommit, "0"); }},
    {.name = "group_killed_whole",
     .what = "a cgroup of 300 MB with `memory.oom.group=1`, as Kubernetes sets it",
     .told = "Says so: for want of memory the kernel would end the host and all workers. Before that happens the pool "
             "ends the "
             "newest of the large ones (`Cause::memory_limit`).",
     .make = group_killed_whole,
     .with_fork = {Expected::says, "memory.oom.group"},
     .with_exec = {Expected::says, "memory.oom.group"},
     .reach = Reach::machine,
     .live = live_where_one_takes_all_along},
    {.name = "yama_1",
     .what = "Yama 1: only parents may trace",
     .told = "Works.",
     .make =
         [] {
           set_yama("1");
           become_nobody();
         },
     .stacks = Stacks::there,
     .reach = Reach::machine,
     .undo = [] { write_to(ptrace_scope, "0"); }},
    {.name = "yama_2",
     .what = "Yama 2: only root may trace; 3: nobody may",
     .told = "Says that reports of hung tasks have no stack.",
     .make =
         [] {
           set_yama("2");
           become_nobody();
         },
     .with_fork = {Expected::says, "ptrace"},
     .with_exec = {Expected::says, "ptrace"},
     .stacks = Stacks::none,
     .reach = Reach::machine,
     .undo = [] { write_to(ptrace_scope, "0"); }},
    // The last: it cannot be undone.
    {.name = "yama_3",
     .what = {},
     .told = {},
     .make = [] { set_yama("3"); },
     .with_fork = {Expected::says, "ptrace"},
     .with_exec = {Expected::says, "ptrace"},
     .stacks = Stacks::none,
     .reach = Reach::machine},
};

}  // namespace

std::span<const Situation> machine_situations() { return table; }

}  // namespace hotspare::testing
