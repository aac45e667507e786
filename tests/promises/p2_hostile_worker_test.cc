#include "shm/bells.hpp"
#include "support/gate.hpp"
#include "support/ledger.hpp"
#include "support/own_channel.hpp"
#include "support/test_pool.hpp"

#include <gtest/gtest.h>

#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <iterator>
#include <numeric>
#include <random>
#include <string>
#include <vector>

/// P2. A worker that writes into the words that it shares with the host can only say that something happened. Whatever it
/// says, each task settles once, the host lives, and what others run is not touched.
namespace hotspare::testing {
namespace {

using namespace std::chrono_literals;
using Kind = Outcome<int>::Kind;
using shm::SlotState;

int same(int x) { return x; }

void expect_all_counted(Pool& pool) {
  pool.shutdown();
  const Stats stats = pool.stats();
  EXPECT_EQ(stats.values + stats.raised + stats.died + stats.cancelled + stats.refused, stats.submitted);
  EXPECT_EQ(stats.queued, 0u);
  EXPECT_EQ(stats.in_workers, 0u);
}

enum class Then : int { returns, dies, hangs };

/// Says of itself what this word says, `off` tickets away.
int say_of_itself(unsigned state, std::int64_t off, Then then) {
  for_each_word(SlotState::running, [&](shm::TaskSlot& slot, shm::SlotWord word) {
    slot.word = shm::pack({word.ticket + static_cast<std::uint64_t>(off), static_cast<SlotState>(state)});
  });
  if (then == Then::dies) ::raise(SIGKILL);
  while (then == Then::hangs) ::pause();
  return 1;
}

/// All that a word can say but that the task runs, or is done.
TEST(P2HostileWorker, WhateverARunningTasksWordSaysItSettles) {
  Pool pool(small_pool());
  TaskOptions limited;
  limited.timeout = 50ms;
  for (const Then then : {Then::returns, Then::dies, Then::hangs})
    for (const unsigned state : {0u, 1u, 2u, 3u, 4u, 5u, 6u, 255u})
      for (const std::int64_t off : {0, 1, -1, 256}) {
        const bool as_ever = off == 0 && (state == 2 || state == 3);
        if (as_ever && then != Then::dies) continue;
        if (then == Then::hangs && off != 0) continue;
        SCOPED_TRACE(::testing::Message()
                     << "state " << state << ", ticket off by " << off << ", then " << static_cast<int>(then));
        auto hostile = then == Then::hangs ? pool.submit(limited, say_of_itself, state, off, then)
                                           : pool.submit(say_of_itself, state, off, then);
        std::vector<Future<int>> others;
        for (int i = 0; i < 5; ++i) others.push_back(pool.submit(same, i));
        const auto outcome = hostile.outcome();
        for (int i = 0; i < 5; ++i) EXPECT_EQ(others[static_cast<std::size_t>(i)].get(), i);
        if (as_ever && state == 3) continue;  // what lies in its slot is its outcome, whatever that is
        ASSERT_EQ(outcome.kind(), Kind::died);
        EXPECT_EQ(outcome.report()->task_id, hostile.task_id());
        if (then == Then::hangs) {
          EXPECT_EQ(outcome.report()->cause, Cause::protocol);
        }
      }
  expect_all_counted(pool);
}

int say_that_all_run(const std::string& knock_at, const std::string& pass_at) {
  knock_and_pass(knock_at, pass_at);
  for_each_word(SlotState::queued, [](shm::TaskSlot& slot, shm::SlotWord word) {
    slot.word = shm::pack({word.ticket, SlotState::running});
  });
  ::raise(SIGKILL);
  return 0;
}

/// Which of them ran cannot be told: each ends as a death, with its own name in the report, and none runs again.
TEST(P2HostileWorker, AllThatAreSaidToRunAtADeathSettle) {
  PoolOptions options = small_pool();
  options.workers = 1;
  Pool pool(options);
  Gate knock;
  Gate pass;
  auto hostile = pool.submit(say_that_all_run, knock.path(), pass.path());
  knock.await();
  std::vector<Future<int>> behind;
  for (int i = 0; i < 4; ++i) behind.push_back(pool.submit(same, i));
  pass.open();
  EXPECT_EQ(death_of(hostile).task_id, hostile.task_id());
  int died = 0;
  for (int i = 0; i < 4; ++i) {
    const auto outcome = behind[static_cast<std::size_t>(i)].outcome();
    if (outcome.ok()) {
      EXPECT_EQ(outcome.value(), i);
      continue;
    }
    ++died;
    ASSERT_EQ(outcome.kind(), Kind::died);
    EXPECT_EQ(outcome.report()->task_id, behind[static_cast<std::size_t>(i)].task_id());
    EXPECT_EQ(outcome.report()->attempt, 1);
  }
  EXPECT_GE(died, 1);
  EXPECT_EQ(pool.stats().deaths, 1u);
  expect_all_counted(pool);
}

/// What policy allows is run again, though.
TEST(P2HostileWorker, WhatIsSaidToRunAtADeathIsRetriedIfThatIsAllowed) {
  PoolOptions options = small_pool();
  options.workers = 1;
  Pool pool(options);
  Gate knock;
  Gate pass;
  TaskOptions twice;
  twice.retries.attempts = 2;
  auto hostile = pool.submit(say_that_all_run, knock.path(), pass.path());
  knock.await();
  std::vector<Future<int>> behind;
  for (int i = 0; i < 4; ++i) behind.push_back(pool.submit(twice, same, i));
  pass.open();
  EXPECT_EQ(hostile.outcome().kind(), Kind::died);
  for (int i = 0; i < 4; ++i) EXPECT_EQ(behind[static_cast<std::size_t>(i)].get(), i);
  EXPECT_GE(pool.stats().retried, 1u);
  expect_all_counted(pool);
}

/// Until it is killed, each word that says one state says another.
[[noreturn]] int flip(const std::string& knock_at, SlotState from, SlotState to) {
  Gate::knock(knock_at);
  for (;;)
    for_each_word(from, [to](shm::TaskSlot& slot, shm::SlotWord word) { slot.word = shm::pack({word.ticket, to}); });
}
int flip_task(const std::string& knock_at, int from, int to) {
  flip(knock_at, static_cast<SlotState>(from), static_cast<SlotState>(to));
}

/// Taken back by everybody who can: whoever cancels them one by one, and whoever cancels all.
TEST(P2HostileWorker, WhatWasTakenBackStaysSo) {
  for (int from = 1; from <= 5; ++from)
    for (int to = 0; to <= 5; ++to) {
      if (from == to || from == 2) continue;  // itself
      SCOPED_TRACE(::testing::Message() << "from " << from << " to " << to);
      PoolOptions options = small_pool();
      options.workers = 1;
      Pool pool(options);
      for (int i = 0; i < 300; ++i) pool.submit(same, i);  // quick ones: more are handed over early then
      pool.submit(same, 0).wait();
      Gate knock;
      auto hostile = pool.submit(flip_task, knock.path(), from, to);
      knock.await();
      std::vector<Future<int>> behind;
      for (int i = 0; i < 50; ++i) behind.push_back(pool.submit(same, i));
      for (std::size_t i = 0; i < 10; ++i) behind[i].cancel();
      hostile.cancel(Cancel::kill);
      pool.shutdown(true, true);
      for (auto& each : behind) EXPECT_TRUE(each.ready());
      expect_all_counted(pool);
    }
}

int say_that_all_are_done(const std::string& knock_at, const std::string& pass_at) {
  knock_and_pass(knock_at, pass_at);
  for_each_word(SlotState::queued, [](shm::TaskSlot& slot, shm::SlotWord word) {
    slot.ended = shm::Ended::value;
    slot.arguments = {0, sizeof(int), shm::Place::slot};
    std::memset(slot.bytes, 0x77, sizeof(int));
    slot.word = shm::pack({word.ticket, SlotState::done});
  });
  ::raise(SIGKILL);
  return 0;
}

/// A worker runs one after another: behind one that runs there is no result, whatever its word says.
TEST(P2HostileWorker, NoResultIsBelievedOfOneBehindARunningOne) {
  PoolOptions options = small_pool();
  options.workers = 1;
  Pool pool(options);
  Gate knock;
  Gate pass;
  auto hostile = pool.submit(say_that_all_are_done, knock.path(), pass.path());
  knock.await();
  std::vector<Future<int>> behind;
  for (int i = 0; i < 4; ++i) behind.push_back(pool.submit(same, i));
  pass.open();
  EXPECT_EQ(hostile.outcome().kind(), Kind::died);
  for (int i = 0; i < 4; ++i) {
    const auto outcome = behind[static_cast<std::size_t>(i)].outcome();
    if (outcome.ok()) {
      EXPECT_EQ(outcome.value(), i);
    } else {
      EXPECT_EQ(outcome.kind(), Kind::died);
    }
  }
  expect_all_counted(pool);
}

/// One life of a worker run wild: random words, offsets and lengths over all that it shares with the host.
class Wild {
 public:
  explicit Wild(std::uint64_t seed) : random_(seed), channel_(own_channel()) {}

  void write_once() {
    switch (random_() % 6) {
      case 0: return write_word();
      case 1: return write_outcome();
      case 2: return write_at(random_() % offsetof(shm::Channel, slots));
      case 3: return write_at(random_() % sizeof(shm::Channel));
      case 4: return write_number();
      default: return ring();
    }
  }

 private:
  shm::TaskSlot& any_slot() { return channel_.slots[random_() % (random_() % 2 == 0 ? 8 : shm::slot_count)]; }
  /// Of these programs are full: nothing, little, the sizes that there are, and more than there can be.
  std::uint64_t any_number() {
    constexpr std::uint64_t numbers[] = {0,
                                         1,
                                         7,
                                         8,
                                         shm::slot_bytes,
                                         shm::slot_bytes + 1,
                                         shm::box_payload,
                                         shm::box_bytes - 1,
                                         shm::box_bytes,
                                         shm::box_bytes + 1,
                                         1u << 20,
                                         UINT64_MAX / 2,
                                         UINT64_MAX - 7,
                                         UINT64_MAX};
    return random_() % 4 == 0 ? random_() : numbers[random_() % std::size(numbers)];
  }
  /// Any state but done: what is behind this task would be taken for finished if its words said so of all of them.
  void write_word() {
    shm::TaskSlot& slot = any_slot();
    const std::uint64_t ticket = shm::unpack(slot.word).ticket + random_() % 3 - 1;
    const auto state = static_cast<SlotState>(random_() % 3 == 0 ? random_() % 256 : random_() % 6);
    slot.word = shm::pack({ticket, state == SlotState::done ? SlotState::empty : state});
  }
  void write_outcome() {
    shm::TaskSlot& slot = any_slot();
    slot.arguments = {any_number(), any_number(), static_cast<shm::Place>(random_() % 5)};
    slot.ended = static_cast<shm::Ended>(random_() % 4);
    slot.attachments = static_cast<std::uint32_t>(any_number());
    slot.box_end = any_number();
    slot.begun_at = static_cast<std::int64_t>(any_number());
    slot.timed = random_() % 2 == 0;
  }
  void write_at(std::uint64_t offset) {
    const std::uint64_t length = std::min<std::uint64_t>(1 + random_() % 64, sizeof(shm::Channel) - offset);
    auto* at = reinterpret_cast<unsigned char*>(&channel_) + offset;
    for (std::uint64_t i = 0; i < length; ++i) at[i] = static_cast<unsigned char>(random_());
  }
  void write_number() {
    const std::uint64_t offset = random_() % (offsetof(shm::Channel, slots) / 8) * 8;
    const std::uint64_t number = any_number();
    std::memcpy(reinterpret_cast<unsigned char*>(&channel_) + offset, &number, sizeof number);
  }
  void ring() {
    if (bells_ == nullptr) bells_ = static_cast<shm::Bells*>(own_mapping("hotspare-bells"));
    for (std::atomic<std::uint32_t>* bell : {&bells_->caller, &bells_->listener}) {
      bell->fetch_add(1);
      ::syscall(SYS_futex, bell, FUTEX_WAKE, 1, nullptr, nullptr, 0);
    }
  }

  std::mt19937_64 random_;
  shm::Channel& channel_;
  shm::Bells* bells_ = nullptr;
};

int run_wild(std::uint64_t seed, int writes, const std::string& ledger) {
  Ledger::note(ledger, 0);
  Wild wild(seed);
  for (int i = 0; i < writes; ++i) wild.write_once();
  Ledger::note(ledger, 1);
  if (seed % 3 == 0) std::abort();
  ::raise(SIGKILL);
  return 0;
}

/// So that it lies in the slot, in a box, or in a segment.
std::vector<int> numbers(int seed) {
  constexpr std::size_t sizes[] = {4, 400, 10'000, 50'000};
  std::vector<int> made(sizes[static_cast<std::size_t>(seed) % std::size(sizes)]);
  std::iota(made.begin(), made.end(), seed);
  return made;
}
std::vector<int> one_more(std::vector<int> given) {
  for (int& each : given) ++each;
  return given;
}

void run_wild_in_company(int lives, int writes) {
  Ledger ledger(2);
  Pool pool(small_pool());
  int died = 0;
  for (int life = 0; life < lives; ++life) {
    SCOPED_TRACE(::testing::Message() << "life " << life);
    TaskOptions limited;
    limited.timeout = 10s;  // of a worker that its own writes have made deaf
    auto wild = pool.submit(limited, run_wild, static_cast<std::uint64_t>(life), writes, ledger.path());
    std::vector<Future<std::vector<int>>> company;
    for (int i = 0; i < 4; ++i) company.push_back(pool.submit(one_more, numbers(life + i)));
    const auto outcome = wild.outcome();
    EXPECT_FALSE(outcome.ok());
    for (int i = 0; i < 4; ++i) {
      const auto theirs = company[static_cast<std::size_t>(i)].outcome();
      // What lay behind the wild one may be said to have run: then it is told as a death, never as another value.
      died += theirs.ok() ? 0 : 1;
      if (theirs.ok()) {
        ASSERT_EQ(theirs.value(), one_more(numbers(life + i)));
      }
    }
  }
  std::printf("%d lives, %d of them to the end, %d writes in each; %d of %d others died with them\n", ledger.runs(0),
              ledger.runs(1), writes, died, 4 * lives);
  expect_all_counted(pool);
  EXPECT_GE(ledger.runs(0), lives / 2);
}

TEST(P2HostileWorker, AWorkerRunWildCostsOnlyWhatItHas) { run_wild_in_company(100, 50); }

TEST(LongP2HostileWorker, AWorkerRunWildCostsOnlyWhatItHas) { run_wild_in_company(2000, 50); }

}  // namespace
}  // namespace hotspare::testing
