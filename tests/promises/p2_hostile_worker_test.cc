#include "shm/bells.hpp"
#include "shm/segment.hpp"
#include "support/gate.hpp"
#include "support/ledger.hpp"
#include "support/own_channel.hpp"
#include "support/test_pool.hpp"

#include <gtest/gtest.h>

#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
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

/// So that whoever waits for results looks.
void ring_all() {
  auto& bells = *static_cast<shm::Bells*>(own_mapping("hotspare-bells"));
  for (std::atomic<std::uint32_t>* bell : {&bells.caller, &bells.listener}) {
    bell->fetch_add(1);
    ::syscall(SYS_futex, bell, FUTEX_WAKE, 1, nullptr, nullptr, 0);
  }
}

/// A result in a segment that refers to segments: the one that it lies in, twice the same one, or one that was never lent.
int name_segments(std::size_t size, bool own, bool another, bool twice, bool unknown) {
  const Buffer result = Buffer::make(size);
  const Buffer other = Buffer::make(size);
  std::vector<std::uint64_t> ids;
  if (another) ids.push_back(other.segment()->id());
  if (twice) ids.push_back(other.segment()->id());
  if (own) ids.push_back(result.segment()->id());
  if (unknown) ids.push_back(result.segment()->id() + 1'000'000);
  const std::size_t bytes = size - ids.size() * sizeof(std::uint64_t);
  std::memcpy(result.data() + bytes, ids.data(), size - bytes);
  for_each_word(SlotState::running, [&](shm::TaskSlot& slot, shm::SlotWord word) {
    slot.arguments = {result.segment()->id(), bytes, shm::Place::segment};
    slot.attachments = static_cast<std::uint32_t>(ids.size());
    slot.ended = shm::Ended::value;
    slot.word = shm::pack({word.ticket, SlotState::done});
  });
  ring_all();
  for (;;) ::pause();
}

/// Each of them once, and never the one that is the result itself.
TEST(P2HostileWorker, SegmentsThatAResultMayNotReferTo) {
  Pool pool(small_pool());
  for (const std::size_t size : {std::size_t{4096}, std::size_t{1} << 20})
    for (const bool another : {false, true})
      for (const char* const what : {"own", "twice", "unknown"}) {
        SCOPED_TRACE(::testing::Message() << size << " bytes, " << what << (another ? " behind another" : ""));
        const bool own = *what == 'o';
        const bool twice = *what == 't';
        if (twice && !another) continue;
        const auto report = death_of(pool.submit(name_segments, size, own, another, twice, !own && !twice));
        EXPECT_EQ(report.cause, Cause::protocol);
        EXPECT_EQ(pool.submit(same, 7).get(), 7);
      }
  expect_all_counted(pool);
}

/// Says of a chunk that it is done, with these bytes for its results, or that they were finished when it died.
int write_parts(int item, const std::array<std::uint32_t, 16>& words, std::size_t bytes, bool done) {
  if (item != 1) return item;
  for_each_word(SlotState::running, [&](shm::TaskSlot& slot, shm::SlotWord word) {
    if (!done) {
      shm::Parts& parts = own_channel().parts;
      std::memcpy(own_channel().outbox, words.data(), bytes);
      parts.place[0] = {0, 0, shm::Place::box};
      parts.finished = shm::pack_parts(0, bytes);
      parts.ticket = word.ticket;
      return;
    }
    std::memcpy(slot.bytes, words.data(), bytes);
    slot.arguments = {0, bytes, shm::Place::slot};
    slot.attachments = 0;
    slot.ended = shm::Ended::value;
    slot.word = shm::pack({word.ticket, SlotState::done});
  });
  ring_all();
  ::raise(SIGKILL);
  return 0;
}

/// Each element has one outcome, and no more.
TEST(P2HostileWorker, ResultsOfAMapThatMakeNoSense) {
  struct Written {
    const char* what;
    std::size_t bytes;
    std::array<std::uint32_t, 16> words;
  };
  const std::vector<Written> all = {
      {"none", 0, {}},
      {"half a head", 2, {4}},
      {"one that is cut", 20, {4, 0, 4, 1, 4}},
      {"fewer than elements", 16, {4, 0, 4, 1}},
      {"more than elements", 56, {4, 0, 4, 1, 4, 2, 4, 3, 4, 4, 4, 5, 4, 6}},
      {"longer than all", 16, {4, 0, 1'000'000, 1}},
      {"of no bytes", 32, {}},
      {"exceptions without a name", 16, {1u << 30, 1u << 30, 1u << 30, 1u << 30}},
      {"attachments without end", 20, {(1u << 31) | 0x3fffffff, 8, 0, 8, 0}},
      {"as long as all memory", 20, {1u << 31, 0xffffffff, 0xffffffff, 8, 0}},
  };
  Pool pool(small_pool());
  for (const bool done : {true, false})
    for (const int attempts : {1, 2})
      for (const Written& written : all) {
        SCOPED_TRACE(::testing::Message() << written.what << (done ? ", done, " : ", salvaged, ") << attempts);
        MapOptions options{.chunk = 4};
        options.task.retries.attempts = attempts;
        const auto f = [words = written.words, bytes = written.bytes, done](int item) {
          return write_parts(item, words, bytes, done);
        };
        int outcomes = 0;
        auto view = pool.map(f, std::vector<int>{0, 1, 2, 3}, options);
        for (auto each = view.begin(); each != view.end(); ++each, ++outcomes) {
          try {
            static_cast<void>(*each);
          } catch (const std::exception&) {
          }
          ASSERT_LT(outcomes, 4);
        }
        EXPECT_EQ(outcomes, 4);
      }
  expect_all_counted(pool);
}

/// One life of a worker run wild: random words, offsets and lengths over all that it shares with the host, and over two
/// segments that it was lent.
class Wild {
 public:
  explicit Wild(std::uint64_t seed) : random_(seed), channel_(own_channel()) {
    for (Buffer& each : lent_)
      for (std::uint64_t& number : each.as<std::uint64_t>())
        number = random_() % 3 == 0 ? any_number() : lent_[random_() % 2].segment()->id();
  }

  /// With an outcome of which one thing or another may be true.
  void say_that_it_is_done() {
    for_each_word(SlotState::running, [this](shm::TaskSlot& slot, shm::SlotWord word) {
      write_outcome_to(slot);
      if (random_() % 4 != 0) {
        slot.ended = random_() % 4 == 0 ? shm::Ended::raised : shm::Ended::value;
        slot.arguments.place = static_cast<shm::Place>(random_() % 3);
        slot.arguments.size = random_() % 512 * 8;
        slot.attachments = static_cast<std::uint32_t>(random_() % 4);
        if (slot.arguments.place == shm::Place::segment) slot.arguments.at = lent_[random_() % 2].segment()->id();
      }
      slot.word = shm::pack({word.ticket, SlotState::done});
    });
  }

  void write_once() {
    switch (random_() % 6) {
      case 0: return write_word();
      case 1: return write_outcome();
      case 2: return write_at(random_() % offsetof(shm::Channel, slots));
      case 3: return write_at(random_() % sizeof(shm::Channel));
      case 4: return write_number();
      default: return ring_all();
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
  void write_outcome() { write_outcome_to(any_slot()); }
  void write_outcome_to(shm::TaskSlot& slot) {
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
  std::mt19937_64 random_;
  shm::Channel& channel_;
  Buffer lent_[2] = {Buffer::make(4096), Buffer::make(4096)};
};

int run_wild(std::uint64_t seed, int writes, const std::string& ledger) {
  Ledger::note(ledger, 0);
  Wild wild(seed);
  for (int i = 0; i < writes; ++i) wild.write_once();
  Ledger::note(ledger, 1);
  if (seed % 3 == 0) std::abort();
  if (seed % 3 == 1) wild.say_that_it_is_done();
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
    try {
      wild.get();  // what it says last may be taken for its outcome
    } catch (const std::exception&) {
    }
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
