#include "support/beacon.hpp"
#include "support/gate.hpp"
#include "support/signals.hpp"
#include "support/test_pool.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <csignal>
#include <cstring>
#include <ctime>
#include <fstream>
#include <string>
#include <sys/resource.h>
#include <thread>
#include <unistd.h>
#include <vector>

/// P6. Whoever waits for the host is heard, wherever in a worker's life, and takes nobody else's wake; who has nothing to
/// wait for does not burn a core.
namespace hotspare::testing {
namespace {

using namespace std::chrono_literals;

PoolOptions one_worker() {
  PoolOptions options = small_pool();
  options.workers = 1;
  return options;
}

double seconds_of(clockid_t clock) {
  timespec now{};
  ::clock_gettime(clock, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

/// The share of one core that this process used meanwhile.
template <class Work>
double load_during(Work work) {
  const double cpu = seconds_of(CLOCK_PROCESS_CPUTIME_ID);
  const double begun = seconds_of(CLOCK_MONOTONIC);
  work();
  return (seconds_of(CLOCK_PROCESS_CPUTIME_ID) - cpu) / (seconds_of(CLOCK_MONOTONIC) - begun);
}

/// Some sleep in a worker, for as long as the host is looked at.
void sleep_for_the_test(std::chrono::milliseconds time) { std::this_thread::sleep_for(time); }  // style: it is the task

/// Tasks whose ends the listener has to hear, for nobody waits for their futures.
void run_unattended(Pool& pool, int count, std::chrono::milliseconds each) {
  Signals done;
  for (int i = 0; i < count; ++i) {
    pool.submit(sleep_for_the_test, each).on_done([&](const Future<void>&) { done.give(); });
    done.take();
  }
}

// ---- Several threads of one worker wait ----

/// Leaves threads behind that ask for memory again and again, out of step, and tell the beacon when all have done so.
int leave_threads(const std::string& path, int threads, int buffers) {
  for (int i = 0; i < threads; ++i)
    std::thread([path, buffers, i] {
      Beacon beacon(path);
      std::vector<Buffer> all;
      for (int n = 0; n < buffers; ++n) {
        for (std::atomic<int> spin = 0; spin < 3000 * ((n * 7 + i) % 11); ++spin) {
        }
        all.push_back(Buffer::make(100'000));
        all.back().data()[n] = std::byte{1};
      }
      beacon.add(1, 0);
      for (;;) ::pause();
    }).detach();
  return threads;
}

TEST(P6Waiting, AThreadThatATaskLeftTakesNoTasksWake) {
  for (int round = 0; round < 4; ++round) {
    const Beacon beacon;
    Pool pool(one_worker());
    const auto threads = static_cast<std::uint64_t>(pool.submit(leave_threads, beacon.path(), 1 + round % 2, 40).get());
    for (int i = 0; beacon.told() < threads || i < 100; ++i)
      ASSERT_EQ(pool.submit([](int x) { return x; }, i).get(), i) << "round " << round;
    EXPECT_EQ(pool.stats().deaths, 0u);
  }
}

/// The main thread gets arguments in segments while another waits for one to write.
TEST(P6Waiting, AThreadThatATaskLeftKeepsNoArgumentsBack) {
  const Beacon beacon;
  Pool pool(one_worker());
  pool.submit(leave_threads, beacon.path(), 2, 30).get();
  for (std::size_t i = 0; beacon.told() < 2 || i < 50; ++i) {
    const std::vector<char> bytes(300'000 + i, 'a');
    ASSERT_EQ(pool.submit([](const std::vector<char>& given) { return given; }, bytes).get().size(), bytes.size());
  }
  EXPECT_EQ(pool.stats().deaths, 0u);
}

// ---- Outside of tasks ----

void initialize_with_buffers() {
  static const Buffer large = Buffer::make(1 << 20);
  static std::vector<Buffer> more;
  for (int i = 0; i < 3; ++i) more.push_back(Buffer::make(80'000));
}

TEST(P6Waiting, AnInitializerMayMakeBuffers) {
  PoolOptions options = small_pool();
  options.initializer = initialize_with_buffers;
  Pool pool(options);
  for (int i = 0; i < 10; ++i) EXPECT_EQ(pool.submit([](int x) { return x; }, i).get(), i);
  // The refills do so while tasks come and go.
  for (int i = 0; i < 5; ++i) {
    EXPECT_THROW(pool.submit([] { ::raise(SIGKILL); }).get(), WorkerDied);
    EXPECT_EQ(pool.submit([](int x) { return x; }, i).get(), i);
  }
  EXPECT_EQ(pool.stats().deaths_before_ready, 0u);
  pool.shutdown();
}

void initialize_with_thread() {
  std::thread([] {
    // Not before the initializer is through: then its worker is a spare.
    for (int i = 0; i < 30; ++i) {
      sleep_for_the_test(1ms);
      Buffer::make(70'000 + static_cast<std::size_t>(i) * 70'000).data()[0] = std::byte{1};
    }
    const char* path = std::getenv("P6_WAITING_BEACON");
    Beacon(path).add(1, 0);
  }).detach();
}

TEST(P6Waiting, ASparesThreadGetsItsMemory) {
  const Beacon beacon;
  ::setenv("P6_WAITING_BEACON", beacon.path().c_str(), 1);
  PoolOptions options = one_worker();
  options.initializer = initialize_with_thread;
  Pool pool(options);
  while (beacon.told() < 2) {  // the worker's and the spare's
    const int answer = pool.submit([] {
                             sleep_for_the_test(1ms);
                             return 5;
                           })
                           .get();
    ASSERT_EQ(answer, 5);
  }
  ::unsetenv("P6_WAITING_BEACON");
  EXPECT_EQ(pool.stats().deaths, 0u);
}

// ---- The listener ----

/// What the zygote has forked dawdles before it does anything.
void dawdle() {
  if (std::getenv("P6_WAITING_DAWDLE") != nullptr) sleep_for_the_test(30ms);
}
const int dawdles = ::pthread_atfork(nullptr, nullptr, dawdle);

void wait_at_gate() {
  const char* path = std::getenv("P6_WAITING_GATE");
  if (path != nullptr) Gate::pass(path);
}

/// Its robust word changes while the listener sleeps on it, and stays so.
TEST(P6Waiting, AWorkerInItsInitializerCostsTheHostNoCpu) {
  Gate gate;
  ::setenv("P6_WAITING_GATE", gate.path().c_str(), 1);
  ::setenv("P6_WAITING_DAWDLE", "", 1);  // the listener knows it before it has taken its word
  PoolOptions options = one_worker();
  options.initializer = wait_at_gate;
  {
    Pool pool(options);
    gate.open(2);
    EXPECT_EQ(pool.submit([] { return 1; }).get(), 1);
    while (pool.stats().spares == 0) std::this_thread::yield();
    ::kill(static_cast<pid_t>(pool.worker_pids().back()), SIGKILL);  // its refill will stay in its initializer
    pool.started_pids(2);
    EXPECT_LT(load_during([&] { run_unattended(pool, 20, 20ms); }), 0.25);
    gate.open(3);
  }
  ::unsetenv("P6_WAITING_DAWDLE");
  ::unsetenv("P6_WAITING_GATE");
}

/// The futex word of the calling worker's robust mutex, which stands first in its channel.
std::atomic<std::uint32_t>* own_life_word() {
  std::ifstream maps("/proc/self/maps");
  std::string line;
  while (std::getline(maps, line))
    if (line.find("hotspare-channel") != std::string::npos)
      return reinterpret_cast<std::atomic<std::uint32_t>*>(std::stoull(line, nullptr, 16));
  return nullptr;
}

int scribble(std::uint32_t bits) {
  std::atomic<std::uint32_t>* const word = own_life_word();
  if (word == nullptr) return 0;
  word->fetch_xor(bits);
  return 1;
}

TEST(P6Waiting, AStrayWriteToAWorkersWordCostsTheHostNoCpu) {
  for (const std::uint32_t bits : {1u << 20, 0x80000000u, 0x3fffffffu}) {  // another owner, no waiters, anything
    Pool pool(one_worker());
    ASSERT_EQ(pool.submit(scribble, bits).get(), 1);
    EXPECT_LT(load_during([&] { run_unattended(pool, 10, 20ms); }), 0.25) << std::hex << bits;
    EXPECT_THROW(pool.submit([] { ::raise(SIGKILL); }).get(), WorkerDied);
    EXPECT_EQ(pool.submit([] { return 7; }).get(), 7);
  }
}

/// Those that die are always others', as one listener sees it: its share must not grow beyond what it can watch.
TEST(P6Waiting, NoListenerGetsMoreThanItsShare) {
  PoolOptions options = small_pool();
  options.workers = 128;
  Pool pool(options);
  constexpr std::size_t listeners = 3;  // of a pool of that size
  bool any_left = true;
  for (int round = 0; round < 20 && any_left; ++round) {
    any_left = false;
    pool.started_pids(129);
    for (const std::int64_t pid : pool.worker_pids()) {
      std::ifstream comm("/proc/" + std::to_string(pid) + "/comm");  // hotspare-NUMBER
      std::string name;
      std::getline(comm, name);
      const auto dash = name.rfind('-');
      if (dash == std::string::npos || std::stoul(name.substr(dash + 1)) % listeners == 0) continue;
      ::kill(static_cast<pid_t>(pid), SIGKILL);
      any_left = true;
    }
    EXPECT_EQ(pool.submit([] { return 1; }).get(), 1);
  }
  EXPECT_EQ(pool.started_pids(129).size(), 129u);
}

}  // namespace
}  // namespace hotspare::testing
