#include "support/gate.hpp"
#include "support/signals.hpp"
#include "support/test_pool.hpp"

#include <gtest/gtest.h>

#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <csignal>
#include <cstring>
#include <memory>
#include <numeric>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <sys/resource.h>
#include <thread>
#include <vector>

/// P6. Payloads of any size, both ways at once, from any number of threads; memory in flight is bounded.
namespace hotspare::testing {
namespace {

using Bytes = std::vector<std::uint8_t>;

std::uint64_t checksum(std::span<const std::uint8_t> bytes) {
  std::uint64_t state = 0xcbf29ce484222325;
  for (const std::uint8_t byte : bytes) state = (state ^ byte) * 0x100000001b3;
  return state;
}
Bytes pattern(std::size_t size, std::uint64_t seed) {
  Bytes bytes(size);
  std::uint64_t state = seed * 2 + 1;
  for (auto& byte : bytes) {
    state = state * 6364136223846793005 + 1442695040888963407;
    byte = static_cast<std::uint8_t>(state >> 56);
  }
  return bytes;
}

struct Answer {
  std::uint64_t checksum_of_argument = 0;
  Bytes result;
  template <class Archive>
  void serialize(Archive& ar) {
    ar(checksum_of_argument, result);
  }
};
Answer exchange(const Bytes& argument, std::size_t result_size, std::uint64_t seed) {
  return {checksum(argument), pattern(result_size, seed)};
}

void exchange_and_check(Pool& pool, std::size_t in, std::size_t out, std::uint64_t seed) {
  const Bytes argument = pattern(in, seed);
  const Answer answer = pool.submit(exchange, argument, out, seed + 1).get();
  EXPECT_EQ(answer.checksum_of_argument, checksum(argument)) << in << " bytes in";
  EXPECT_TRUE(answer.result == pattern(out, seed + 1)) << out << " bytes out";
}

/// What a payload may fit into (the task itself, the scratch, the slot, the box), and one to each side. A vector's length
/// and the other argument take some bytes, so the neighbourhood is wide.
std::vector<std::size_t> boundary_sizes() {
  std::vector<std::size_t> sizes{0, 1};
  for (const std::size_t boundary : {std::size_t{40}, std::size_t{128}, std::size_t{176}, std::size_t{64 * 1024},
                                     std::size_t{256 * 1024}, std::size_t{1024 * 1024}}) {
    for (const std::size_t overhead : {0, 8, 16, 24, 32, 40})
      for (const int step : {-1, 0, 1}) {
        const auto size = static_cast<std::int64_t>(boundary - overhead) + step;
        if (size > 0) sizes.push_back(static_cast<std::size_t>(size));
      }
  }
  std::sort(sizes.begin(), sizes.end());
  sizes.erase(std::unique(sizes.begin(), sizes.end()), sizes.end());
  return sizes;
}

TEST(P6NoDeadlock, EverySizeBothWaysFromFourThreads) {
  Pool pool(small_pool());
  const std::vector<std::size_t> sizes = boundary_sizes();
  std::vector<std::thread> threads;
  for (std::size_t part = 0; part < 4; ++part) {
    threads.emplace_back([&, part] {
      for (std::size_t i = part; i < sizes.size(); i += 4) {
        exchange_and_check(pool, sizes[i], sizes[sizes.size() - 1 - i], i);
        exchange_and_check(pool, sizes[i], sizes[i], i);
      }
    });
  }
  for (auto& thread : threads) thread.join();
}

TEST(P6NoDeadlock, RawBytesOfEverySize) {
  Pool pool(small_pool());
  for (std::size_t size = 0; size <= 300; ++size) {
    const std::string text(size, static_cast<char>('a' + size % 26));
    EXPECT_EQ(pool.submit([](std::string_view view) { return std::string(view); }, text).get(), text);
  }
}

TEST(P6NoDeadlock, FiftyMegabytesBothWays) {
  Pool pool(small_pool());
  std::vector<std::thread> threads;
  for (std::uint64_t i = 0; i < 2; ++i)
    threads.emplace_back([&, i] { exchange_and_check(pool, 50'000'000, 50'000'000, i); });
  for (auto& thread : threads) thread.join();
}

/// A worker that asks for memory while a caller waits: in whatever state of waiting the caller is.
TEST(P6NoDeadlock, LargeResultsOneByOne) {
  Pool pool(small_pool());
  for (std::size_t i = 0; i < 500; ++i)
    EXPECT_EQ(pool.submit([](std::size_t size) { return Bytes(size, 1); }, 70'000 + i).get().size(), 70'000 + i);
}

TEST(P6NoDeadlock, ResultsThatNobodyCollectsFillNothing) {
  Pool pool(small_pool());
  // 60 kB: beyond what lies in the slot; four of them fill the box behind the worker.
  for (int i = 0; i < 3000; ++i) pool.submit([] { return Bytes(60'000, 7); });
  for (int i = 0; i < 50; ++i) pool.submit([] { return Bytes(300'000, 7); });
  EXPECT_EQ(pool.submit([] { return 1; }).get(), 1);
  pool.shutdown();
  EXPECT_EQ(pool.stats().values, 3051u);
}

TEST(P6NoDeadlock, ResultsCollectedLateAreAllThere) {
  Pool pool(small_pool());
  std::vector<Future<Bytes>> futures;
  for (std::uint64_t i = 0; i < 500; ++i) futures.push_back(pool.submit(pattern, std::size_t{60'000}, i));
  for (std::uint64_t i = 500; i-- > 0;) EXPECT_TRUE(futures[i].get() == pattern(60'000, i)) << i;
}

TEST(P6NoDeadlock, QueueLimitMakesSubmittersWait) {
  PoolOptions options = small_pool();
  options.queue_limit = 3;
  // Handed over ahead of time, and back again where a worker has no core for long.
  constexpr std::size_t most_ahead = 256;
  const std::size_t early = options.workers * most_ahead;
  Pool pool(options);
  std::atomic<int> sum{0};
  std::vector<std::thread> threads;
  for (int part = 0; part < 4; ++part) {
    threads.emplace_back([&] {
      std::vector<Future<int>> futures;
      for (int i = 0; i < 200; ++i) {
        futures.push_back(pool.submit([](int x) { return x; }, i));
        EXPECT_LE(pool.stats().queued, options.queue_limit + early) << "submitters do not wait";
      }
      for (auto& future : futures) sum += future.get();
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(sum, 4 * 199 * 200 / 2);
}

/// Neither host nor worker holds a descriptor for each result that waits.
TEST(P6NoDeadlock, MoreLargeResultsThanDescriptors) {
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
  rlimit few = before;
  few.rlim_cur = 200;
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &few), 0);
  {
    Pool pool(small_pool());
    std::vector<Future<Buffer>> futures;
    for (int i = 0; i < 600; ++i) {
      futures.push_back(pool.submit(
          [](int value) {
            Buffer buffer = Buffer::make(300'000);
            buffer.as<int>()[70'000] = value;
            return buffer;
          },
          i));
    }
    for (const auto& future : futures) future.wait();
    // As an argument again, whether or not its descriptor is still there.
    for (int i = 0; i < 600; i += 100) {
      const Buffer result = futures[static_cast<std::size_t>(i)].get();
      EXPECT_EQ(pool.submit([](Buffer buffer) { return buffer.as<int>()[70'000]; }, result).get(), i);
    }
  }
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &before), 0);
}

/// The submitters that wait are told when the pool closes, not left alone.
TEST(P6NoDeadlock, ASubmitterThatWaitsHearsOfTheEnd) {
  PoolOptions options = small_pool();
  options.workers = 1;
  options.queue_limit = 1;
  Pool pool(options);
  Gate go;
  Gate begun;
  auto running = pool.submit(knock_and_pass, begun.path(), go.path());
  begun.await();
  std::thread submitter([&] {
    try {
      for (;;) pool.submit([] {});
    } catch (const PoolClosed&) {
    }
  });
  while (pool.stats().queued == 0) std::this_thread::yield();
  pool.shutdown(false);
  submitter.join();
  go.open();
  pool.shutdown();
}

TEST(P6NoDeadlock, QueueLimitRefuses) {
  PoolOptions options = small_pool();
  options.workers = 1;
  options.queue_limit = 5;
  options.when_full = WhenFull::refuse;
  Pool pool(options);
  Gate go;
  Gate begun;
  auto running = pool.submit(knock_and_pass, begun.path(), go.path());
  begun.await();
  std::vector<Future<void>> taken;
  EXPECT_THROW(
      {
        for (int i = 0; i < 1000; ++i) taken.push_back(pool.submit([] {}));
      },
      QueueFull);
  EXPECT_GE(taken.size(), 5u);
  EXPECT_EQ(pool.stats().submitted, taken.size() + 1);  // what was refused was never there
  go.open();
  for (auto& future : taken) future.get();
  pool.submit([] {}).get();
}

TEST(P6NoDeadlock, PayloadLimitBoundsArgumentsInFlight) {
  PoolOptions options = small_pool();
  options.workers = 1;
  options.payload_limit = 4'000'000;
  Pool pool(options);
  std::vector<std::thread> threads;
  for (std::uint64_t part = 0; part < 3; ++part) {
    threads.emplace_back([&, part] {
      for (std::uint64_t i = 0; i < 10; ++i) {
        const Bytes bytes = pattern(1'500'000, part * 10 + i);
        EXPECT_EQ(pool.submit([](const Bytes& given) { return checksum(given); }, bytes).get(), checksum(bytes));
      }
    });
  }
  for (auto& thread : threads) thread.join();
  // One that is larger than the limit goes alone.
  exchange_and_check(pool, 6'000'000, 10, 1);

  PoolOptions strict = options;
  strict.when_full = WhenFull::refuse;
  strict.start = Start::exec;
  Pool refusing(strict);
  Gate go;
  Gate begun;
  auto running = refusing.submit(knock_and_pass, begun.path(), go.path());
  begun.await();
  auto first = refusing.submit([](const Bytes& given) { return given.size(); }, Bytes(3'000'000));
  EXPECT_THROW(refusing.submit([](const Bytes& given) { return given.size(); }, Bytes(3'000'000)), QueueFull);
  EXPECT_NO_THROW(refusing.submit([](int x) { return x; }, 1));  // small ones are not in the way
  EXPECT_TRUE(first.cancel());
  auto second = refusing.submit([](const Bytes& given) { return given.size(); }, Bytes(3'000'000));
  go.open();
  EXPECT_EQ(second.get(), 3'000'000u);
}

// ---- Buffers ----

Buffer filled(std::size_t size, std::uint8_t with) {
  Buffer buffer = Buffer::make(size);
  std::memset(buffer.data(), with, size);
  return buffer;
}
bool all_are(const Buffer& buffer, std::uint8_t value) {
  const auto bytes = buffer.as<std::uint8_t>();
  return std::all_of(bytes.begin(), bytes.end(), [value](std::uint8_t byte) { return byte == value; });
}
std::uint64_t sum_of(const Buffer& buffer) {
  const auto bytes = buffer.as<std::uint8_t>();
  return std::accumulate(bytes.begin(), bytes.end(), std::uint64_t{0});
}

TEST(P6NoDeadlock, BuffersGoBothWays) {
  Pool pool(small_pool());
  for (const std::size_t size : {std::size_t{1}, std::size_t{4096}, std::size_t{70'000}, std::size_t{5'000'000}}) {
    Buffer argument = pool.buffer(size);
    std::memset(argument.data(), 3, size);
    EXPECT_EQ(pool.submit(sum_of, argument).get(), 3 * size);
    Buffer standalone = filled(size, 2);
    EXPECT_EQ(pool.submit(sum_of, standalone).get(), 2 * size);
    const Buffer result = pool.submit(filled, size, std::uint8_t{9}).get();
    EXPECT_EQ(result.size(), size);
    EXPECT_TRUE(all_are(result, 9));
    const Buffer returned = pool.submit([](const Buffer& given) { return given; }, argument).get();
    EXPECT_EQ(returned.data(), argument.data());  // not a copy
    EXPECT_TRUE(all_are(returned, 3));
  }
  EXPECT_TRUE(pool.submit([](const Buffer& buffer) { return buffer; }, Buffer()).get().empty());
}

TEST(P6NoDeadlock, OneBufferIsManyTasksArgument) {
  Pool pool(small_pool());
  Buffer shared = pool.buffer(100'000);
  std::memset(shared.data(), 1, shared.size());
  std::vector<Future<std::uint64_t>> futures;
  for (int i = 0; i < 300; ++i) futures.push_back(pool.submit(sum_of, shared));
  for (auto& future : futures) EXPECT_EQ(future.get(), 100'000u);
}

struct Parts {
  std::string name;
  std::vector<Buffer> buffers;
  std::optional<Buffer> extra;
  template <class Archive>
  void serialize(Archive& ar) {
    ar(name, buffers, extra);
  }
};

TEST(P6NoDeadlock, BuffersInContainersAndStructs) {
  Pool pool(small_pool());
  Parts parts{"in", {filled(10, 1), filled(200'000, 2), Buffer()}, filled(30, 3)};
  parts.buffers.push_back(parts.buffers[0]);  // twice the same
  const Parts back = pool.submit(
                             [](const Parts& given) {
                               Parts made{given.name + "+out", given.buffers, {}};
                               made.buffers.push_back(filled(100'000, 4));
                               made.buffers.push_back(made.buffers.back());
                               return made;
                             },
                             parts)
                         .get();
  EXPECT_EQ(back.name, "in+out");
  ASSERT_EQ(back.buffers.size(), 6u);
  EXPECT_TRUE(all_are(back.buffers[0], 1));
  EXPECT_EQ(back.buffers[1].size(), 200'000u);
  EXPECT_TRUE(all_are(back.buffers[1], 2));
  EXPECT_TRUE(back.buffers[2].empty());
  EXPECT_EQ(back.buffers[3].data(), back.buffers[0].data());
  EXPECT_TRUE(all_are(back.buffers[4], 4));
  EXPECT_EQ(back.buffers[4].data(), back.buffers[5].data());
  EXPECT_FALSE(back.extra.has_value());
}

TEST(P6NoDeadlock, ABufferOutlivesItsWorkerAndItsPool) {
  Buffer kept;
  Buffer from_pool;
  {
    Pool pool(small_pool());
    from_pool = pool.buffer(1000);
    std::memset(from_pool.data(), 6, 1000);
    kept = pool.submit(filled, std::size_t{300'000}, std::uint8_t{5}).get();
    for (const std::int64_t pid : pool.worker_pids()) ::kill(static_cast<pid_t>(pid), SIGKILL);
    pool.submit([] {}).get();
    EXPECT_TRUE(all_are(kept, 5));
    // Memory of the dead is lent again, but not this.
    for (std::uint8_t i = 10; i < 60; ++i) EXPECT_TRUE(all_are(pool.submit(filled, std::size_t{300'000}, i).get(), i));
    EXPECT_TRUE(all_are(kept, 5));
  }
  EXPECT_TRUE(all_are(kept, 5));
  EXPECT_TRUE(all_are(from_pool, 6));
}

/// What a task keeps of a result, it may go on reading; the pool goes on.
std::vector<Buffer>& kept_by_worker() {
  static std::vector<Buffer> kept;
  return kept;
}

TEST(P6NoDeadlock, ATaskMayKeepItsBuffers) {
  PoolOptions options = small_pool();
  options.workers = 1;
  Pool pool(options);
  for (std::uint8_t i = 1; i < 60; ++i) {
    // Made by the host for one task each: most are gone in the host when the worker looks at them again.
    const auto keep = [](const Buffer& given) {
      kept_by_worker().push_back(given);
      return given.size();
    };
    EXPECT_EQ(pool.submit(keep, filled(100'000, i)).get(), 100'000u);
    EXPECT_EQ(pool.submit(
                      [](std::uint8_t with) {
                        kept_by_worker().push_back(filled(80'000, with));
                        return kept_by_worker().back();
                      },
                      i)
                  .get()
                  .size(),
              80'000u);
  }
  const std::uint64_t sum = pool.submit([] {
                                  std::uint64_t all = 0;
                                  for (const Buffer& buffer : kept_by_worker()) all += sum_of(buffer);
                                  return all;
                                })
                                .get();
  EXPECT_GT(sum, 0u);
  EXPECT_THROW(pool.submit([] { return kept_by_worker().front(); }).get(), PayloadError);
  EXPECT_THROW(pool.submit([] { return kept_by_worker().back(); }).get(), PayloadError);
  EXPECT_EQ(pool.stats().deaths, 0u);
}

/// Many segments known to a worker that has not run yet: those it still needs must not be taken from it.
TEST(P6NoDeadlock, ManyBuffersHandedOverEarly) {
  PoolOptions options = small_pool();
  options.workers = 1;
  Pool pool(options);
  for (int round = 0; round < 5; ++round) {
    std::vector<Future<void>> quick;  // short tasks: then many are handed over early
    for (int i = 0; i < 3000; ++i) quick.push_back(pool.submit([] {}));
    for (auto& future : quick) future.get();

    Gate begun;
    Gate go;
    const Buffer first = filled(10, 1);
    // It waits while the others are announced, then needs memory, which makes it read all announcements.
    auto front = pool.submit(
        [](const Buffer& given, const std::string& knock, const std::string& pass) {
          knock_and_pass(knock, pass);
          const Buffer made = filled(500'000, 2);
          return sum_of(given) + sum_of(made);
        },
        first, begun.path(), go.path());
    begun.await();
    auto again = pool.submit(sum_of, first);
    std::vector<Future<std::uint64_t>> others;
    for (int i = 0; i < 150; ++i) others.push_back(pool.submit(sum_of, filled(10, 3)));
    go.open();
    EXPECT_EQ(front.get(), 10u + 1'000'000u);
    EXPECT_EQ(again.get(), 10u);
    for (auto& future : others) EXPECT_EQ(future.get(), 30u);
  }
  EXPECT_EQ(pool.stats().deaths, 0u);
}

/// Announcements that the worker never reads, because their tasks were cancelled, fill its socket.
TEST(P6NoDeadlock, CancelledBuffersFillNothing) {
  PoolOptions options = small_pool();
  options.workers = 1;
  Pool pool(options);
  for (int round = 0; round < 8; ++round) {
    std::vector<Future<void>> quick;
    for (int i = 0; i < 3000; ++i) quick.push_back(pool.submit([] {}));
    for (auto& future : quick) future.get();
    Gate begun;
    Gate go;
    auto front = pool.submit(knock_and_pass, begun.path(), go.path());
    begun.await();
    std::vector<Future<std::uint64_t>> dropped;
    for (int i = 0; i < 255; ++i) dropped.push_back(pool.submit(sum_of, filled(10, 3)));
    for (auto& future : dropped) future.cancel();
    go.open();
    front.get();
    EXPECT_EQ(pool.submit([](std::size_t size) { return Bytes(size).size(); }, std::size_t{100'000}).get(), 100'000u);
    EXPECT_EQ(pool.submit(sum_of, filled(10, 5)).get(), 50u);
    EXPECT_EQ(pool.submit([] { return Bytes(100'000); }).get().size(), 100'000u);
  }
  EXPECT_EQ(pool.stats().deaths, 0u);
}

TEST(P6NoDeadlock, SpansArriveAligned) {
  Pool pool(small_pool());
  for (std::size_t count : {std::size_t{0}, std::size_t{1}, std::size_t{5}, std::size_t{20}, std::size_t{40'000}}) {
    std::vector<double> numbers(count);
    std::iota(numbers.begin(), numbers.end(), 1.0);
    const auto sum = pool.submit(
        [](char odd, std::span<const double> given) {
          EXPECT_EQ(reinterpret_cast<std::uintptr_t>(given.data()) % alignof(double), 0u);
          return std::accumulate(given.begin(), given.end(), 0.0) + odd;
        },
        'a', std::span<const double>(numbers));
    EXPECT_EQ(sum.get(), static_cast<double>(count * (count + 1)) / 2 + 'a');
    // A mutable span arrives as one over const.
    EXPECT_EQ(pool.submit([](std::span<const double> given) { return given.size(); }, std::span<double>(numbers)).get(),
              count);
  }
}

// ---- From the pool's own threads, and many waiters ----

TEST(P6NoDeadlock, CallbacksMaySubmitAndGet) {
  Signals done;
  std::atomic<int> from_event{0};
  std::atomic<Pool*> of_event{nullptr};
  PoolOptions options = small_pool();
  options.queue_limit = 50;
  options.on_event = [&](const Event& event) {
    Pool* pool = of_event.load();
    if (event.kind == Event::Kind::death && pool != nullptr) from_event += pool->submit([] { return 1; }).get();
  };
  Pool pool(options);
  of_event = &pool;
  int answer = 0;
  pool.submit([] { return 20; }).on_done([&](const Future<int>& first) {
    auto second = pool.submit([](int x) { return x + 1; }, first.get());
    second.on_done([&, inner = pool.submit([](int x) { return x * 2; }, second.get())](const Future<int>&) {
      answer = inner.get();
      done.give();
    });
  });
  done.take();
  EXPECT_EQ(answer, 42);
  for (int i = 0; i < 5; ++i) EXPECT_THROW(pool.submit([] { ::raise(SIGKILL); }).get(), WorkerDied);
  while (from_event < 5) std::this_thread::yield();
  of_event = nullptr;
}

/// A callback cannot wait for room that only its own end would make.
TEST(P6NoDeadlock, ACallbackIsToldThatThePoolIsFull) {
  PoolOptions options = small_pool();
  options.workers = 1;
  options.queue_limit = 1;
  Pool pool(options);
  Gate begun;
  Gate go;
  Signals done;
  auto first = pool.submit([] {});
  first.get();
  auto running = pool.submit(knock_and_pass, begun.path(), go.path());
  begun.await();
  auto trigger = pool.submit([] {});  // prefetched or queued: cancelled to call back while the pool is full
  trigger.on_done([&](const Future<void>&) {
    EXPECT_THROW(
        {
          for (int i = 0; i < 1000; ++i) pool.submit([] {});
        },
        QueueFull);
    done.give();
  });
  EXPECT_TRUE(trigger.cancel());
  done.take();
  go.open();
}

TEST(P6NoDeadlock, ManyThreadsWaitForOneFuture) {
  Pool pool(small_pool());
  for (int round = 0; round < 20; ++round) {
    Gate go;
    auto future = pool.submit(
        [](const std::string& gate) {
          Gate::pass(gate);
          return std::string(1000, 'y');
        },
        go.path());
    std::vector<std::thread> threads;
    for (int i = 0; i < 16; ++i) threads.emplace_back([&] { EXPECT_EQ(future.get().size(), 1000u); });
    go.open();
    for (auto& thread : threads) thread.join();
  }
}

/// The thread that looks after results for all hands that over whenever it leaves, in whatever order they leave.
TEST(P6NoDeadlock, SixteenThreadsWaitInAllOrders) {
  Pool pool(small_pool());
  for (int round = 0; round < 10; ++round) {
    constexpr int each = 40;
    std::vector<std::thread> threads;
    for (int part = 0; part < 16; ++part) {
      threads.emplace_back([&, part] {
        std::vector<Future<int>> futures;
        for (int i = 0; i < each; ++i) futures.push_back(pool.submit([](int x) { return x; }, part * each + i));
        for (int i = 0; i < each; ++i) {
          const int turn = part % 3 == 0 ? i : part % 3 == 1 ? each - 1 - i : (i * 7) % each;
          auto& future = futures[static_cast<std::size_t>(turn)];
          if (part % 4 == 1) {
            while (!future.wait_for(std::chrono::microseconds(50))) {
            }
          }
          EXPECT_EQ(future.get(), part * each + turn);
        }
      });
    }
    for (auto& thread : threads) thread.join();
  }
}

/// One thread waits for a long task, and so looks after all results; another one has short tasks run meanwhile, by workers that
/// had none when the first one looked.
TEST(P6NoDeadlock, WhoWaitsForALongTaskHearsOfOthersShortOnes) {
  Pool pool(small_pool());
  for (int round = 0; round < 5; ++round) {
    Gate go;
    std::thread waits([&, long_one = pool.submit(Gate::pass, go.path())] { long_one.get(); });
    for (int i = 0; i < 2000; ++i) {
      ASSERT_EQ(pool.submit([](int x) { return x; }, i).get(), i);
      for (std::atomic<int> spin = 0; spin < 100 * (i % 60); ++spin) {
      }
    }
    go.open();
    waits.join();
  }
}

/// Tasks settled by somebody else than the one who looks after results: by a death, a cancellation, a deadline.
TEST(P6NoDeadlock, AWaiterHearsOfEveryKindOfEnd) {
  Pool pool(small_pool());
  for (int round = 0; round < 30; ++round) {
    Gate never;
    auto dies = pool.submit([] { ::raise(SIGKILL); });
    auto cancelled = pool.submit([](const std::string& gate) { Gate::pass(gate); }, never.path());
    TaskOptions timed;
    timed.timeout = std::chrono::milliseconds(5);
    auto late = pool.submit(
        timed, [](const std::string& gate) { Gate::pass(gate); }, never.path());
    std::vector<std::thread> threads;
    threads.emplace_back([&] { EXPECT_THROW(dies.get(), WorkerDied); });
    threads.emplace_back([&] { EXPECT_THROW(cancelled.get(), Cancelled); });
    threads.emplace_back([&] { EXPECT_THROW(late.get(), WorkerDied); });
    threads.emplace_back([&] {
      while (!cancelled.cancel(Cancel::kill)) std::this_thread::yield();
    });
    for (auto& thread : threads) thread.join();
  }
}

}  // namespace
}  // namespace hotspare::testing
