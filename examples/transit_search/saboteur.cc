#include "saboteur.hpp"

#include <hotspare/this_task.hpp>

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <exception>
#include <fcntl.h>
#include <numeric>
#include <random>
#include <string>
#include <system_error>

namespace transit {

namespace {

using Counter = std::atomic<std::uint64_t>;
static_assert(Counter::is_always_lock_free, "a lock in memory shared with the dead would stay locked");

constexpr std::size_t ledger_bytes = ways * sizeof(Counter);

void* map_ledger(int fd) {
  void* memory = mmap(nullptr, ledger_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (memory == MAP_FAILED) throw std::system_error(errno, std::generic_category(), "mmap of the saboteur's ledger");
  return memory;
}

/// One more death of this kind, before it happens: afterwards there is nobody to write.
void enter(const Sabotage& sabotage) {
  const std::string path = "/proc/" + std::to_string(sabotage.host) + "/fd/" + std::to_string(sabotage.ledger);
  const int fd = open(path.c_str(), O_RDWR | O_CLOEXEC);
  if (fd < 0) throw std::system_error(errno, std::generic_category(), "open of the saboteur's ledger " + path);
  void* memory = map_ledger(fd);
  close(fd);
  static_cast<Counter*>(memory)[static_cast<std::size_t>(sabotage.way)].fetch_add(1);
  munmap(memory, ledger_bytes);
}

[[noreturn]] void wait_for_death() {
  for (;;) pause();
}

[[noreturn]] void be_killed_from_outside() {
  const pid_t victim = getpid();
  if (fork() == 0) {
    kill(victim, SIGKILL);
    _exit(0);
  }
  wait_for_death();
}

// Sanitizers would die of these in ways of their own.
#define TRANSIT_UNCHECKED __attribute__((no_sanitize("address", "undefined"), noinline))

TRANSIT_UNCHECKED void read_beyond_the_end() {
  constexpr std::size_t page = 4096;
  const int fd = memfd_create("empty", MFD_CLOEXEC);
  const auto* memory = static_cast<volatile char*>(mmap(nullptr, page, PROT_READ, MAP_SHARED, fd, 0));
  if (memory != MAP_FAILED) static_cast<void>(*memory);
}

TRANSIT_UNCHECKED void divide_by_zero() {
#if defined(__x86_64__)
  volatile int zero = 0;
  volatile int dividend = 7;  // a dividend known to be 1 would be divided by comparing
  volatile int result = dividend / zero;
  static_cast<void>(result);
#else
  std::raise(SIGFPE);  // other processors divide by zero without a word
#endif
}

TRANSIT_UNCHECKED void execute_nonsense() {
#if defined(__x86_64__)
  __asm__ volatile("ud2");
#else
  std::raise(SIGILL);
#endif
}

Way way_of(hotspare::chaos::How how) {
  using hotspare::chaos::How;
  switch (how) {
    case How::sigkill: return Way::kill_itself;
    case How::sigsegv: return Way::segmentation_fault;
    case How::abort: return Way::abort;
    case How::exit: return Way::exit;
    case How::stack_overflow: return Way::stack_overflow;
    case How::memory: return Way::memory;
    case How::leak: return Way::leak;
    case How::hang: return Way::hang;
    case How::stop: return Way::stop;
    case How::raise: return Way::raise;
  }
  return Way::none;
}

}  // namespace

std::string_view name(Way way) {
  constexpr std::array<std::string_view, ways> names{"none",
                                                     "SIGKILL from outside",
                                                     "SIGKILL by itself",
                                                     "SIGSEGV",
                                                     "SIGBUS",
                                                     "SIGFPE",
                                                     "SIGILL",
                                                     "abort",
                                                     "std::terminate",
                                                     "exit(3)",
                                                     "stack overflow",
                                                     "memory limit",
                                                     "hang",
                                                     "SIGSTOP",
                                                     "exception",
                                                     "leak"};
  return names.at(static_cast<std::size_t>(way));
}

Ledger::Ledger() : fd_(memfd_create("saboteur's ledger", MFD_CLOEXEC)) {
  if (fd_ < 0 || ftruncate(fd_, static_cast<off_t>(ledger_bytes)) != 0)
    throw std::system_error(errno, std::generic_category(), "shared memory for the saboteur's ledger");
  memory_ = map_ledger(fd_);
}

Ledger::~Ledger() {
  munmap(memory_, ledger_bytes);
  close(fd_);
}

Counts Ledger::done() const {
  Counts counts{};
  for (std::size_t i = 0; i < ways; ++i) counts[i] = static_cast<const Counter*>(memory_)[i].load();
  return counts;
}

Sabotage Ledger::order(Way way, std::uint32_t attempts, std::uint64_t bytes) const {
  return {way, static_cast<std::int32_t>(getpid()), fd_, attempts, bytes};
}

std::vector<Way> plan(std::uint64_t tasks, std::uint64_t kills, std::uint64_t seed) {
  std::vector<std::uint64_t> order(tasks);
  std::iota(order.begin(), order.end(), std::uint64_t{0});
  std::mt19937_64 random(seed);
  std::shuffle(order.begin(), order.end(), random);
  std::vector<Way> plan(tasks, Way::none);
  for (std::uint64_t i = 0; i < std::min(tasks, kills); ++i) plan[order[i]] = static_cast<Way>(1 + i % ways_of_plan);
  return plan;
}

std::vector<Way> plan(std::uint64_t tasks, const hotspare::chaos::Chaos& chaos) {
  std::vector<Way> plan(tasks, Way::none);
  for (std::uint64_t i = 0; i < tasks; ++i)
    if (const auto how = chaos.choose(i)) plan[i] = way_of(*how);
  return plan;
}

void commit(const Sabotage& sabotage) {
  if (sabotage.way == Way::none) return;
  if (sabotage.attempts != 0 && hotspare::attempt() > sabotage.attempts) return;
  enter(sabotage);
  using hotspare::chaos::How;
  using hotspare::chaos::strike;
  switch (sabotage.way) {
    case Way::none: return;
    case Way::kill_from_outside: be_killed_from_outside();
    case Way::kill_itself: return strike(How::sigkill);
    case Way::segmentation_fault: return strike(How::sigsegv);
    case Way::bus_error: return read_beyond_the_end();
    case Way::division_by_zero: return divide_by_zero();
    case Way::illegal_instruction: return execute_nonsense();
    case Way::abort: return strike(How::abort);
    case Way::terminate: std::terminate();
    case Way::exit: return strike(How::exit);
    case Way::stack_overflow: return strike(How::stack_overflow);
    case Way::memory: return strike(How::memory);
    case Way::hang: return strike(How::hang);
    case Way::stop: return strike(How::stop);
    case Way::raise: return strike(How::raise);
    case Way::leak: return strike(How::leak, sabotage.bytes);
  }
}

}  // namespace transit
