#include "death/memory_limit.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace hotspare::death {
namespace {

constexpr std::uint64_t mb = 1 << 20;
using os::Mapped;
using os::Resident;

struct Row {
  const char* name;
  MemoryBefore before;
  Resident worker;
  Mapped worker_mapped;
  std::vector<Resident> children;
  std::vector<Mapped> children_mapped;
  std::uint64_t at_most;
  MemoryTaken taken;
};

// NOLINTNEXTLINE(readability-function-size): a table
const std::vector<Row>& rows() {
  static const std::vector<Row> all = {
      {"Nothing", {10 * mb, 5 * mb}, {10 * mb, 5 * mb, 0}, {}, {}, {}, 0, {}},
      {"Gone", {10 * mb, 5 * mb}, {}, {}, {}, {}, 0, {}},
      {"LessThanBefore", {10 * mb, 9 * mb}, {8 * mb, 5 * mb, 0}, {}, {}, {}, 0, {}},
      {"Heap", {10 * mb, 5 * mb}, {90 * mb, 5 * mb, 0}, {90 * mb, 90 * mb, 90 * mb, 0}, {}, {}, 80 * mb, {80 * mb}},
      {"Files", {10 * mb, 5 * mb}, {10 * mb, 900 * mb, 0}, {}, {}, {}, 0, {}},
      {"Shared", {10 * mb, 5 * mb}, {10 * mb, 5 * mb, 70 * mb}, {0, 0, 0, 69 * mb}, {}, {}, 70 * mb, {0, 69 * mb}},
      {"Payload", {10 * mb, 5 * mb}, {10 * mb, 5 * mb, 70 * mb}, {0, 0, 0, 0}, {}, {}, 70 * mb, {}},
      {"SharedOfAnEarlierTask",
       {10 * mb, 75 * mb},
       {10 * mb, 5 * mb, 80 * mb},
       {0, 0, 0, 80 * mb},
       {},
       {},
       10 * mb,
       {0, 10 * mb}},
      // Three of 60 MB each that are nothing but the worker's own.
      {"Forks",
       {0, 0},
       {60 * mb, 0, 0},
       {60 * mb, 0, 15 * mb, 0},
       {{60 * mb, 0, 0}, {60 * mb, 0, 0}, {60 * mb, 0, 0}},
       {{60 * mb, 0, 15 * mb, 0}, {60 * mb, 0, 15 * mb, 0}, {60 * mb, 0, 15 * mb, 0}},
       240 * mb,
       {60 * mb, 0, 0, 3}},
      {"ChildsOwn",
       {0, 0},
       {60 * mb, 0, 0},
       {60 * mb, 0, 30 * mb, 0},
       {{100 * mb, 0, 0}},
       {{100 * mb, 40 * mb, 70 * mb, 0}},
       160 * mb,
       {60 * mb, 0, 40 * mb, 1}},
      // A child took 40 MB and forked: neither has them alone.
      {"OfTwoChildren",
       {0, 0},
       {0, 0, 0},
       {},
       {{40 * mb, 0, 0}, {40 * mb, 0, 0}},
       {{40 * mb, 0, 20 * mb, 0}, {40 * mb, 0, 20 * mb, 0}},
       80 * mb,
       {0, 0, 40 * mb, 2}},
      // Half of what the worker has is the host's, too: nothing of what the child has alone may be taken off for that.
      {"InheritedFromTheHost",
       {400 * mb, 0},
       {400 * mb, 0, 0},
       {400 * mb, 0, 100 * mb, 0},
       {{440 * mb, 0, 0}},
       {{440 * mb, 40 * mb, 140 * mb, 0}},
       440 * mb,
       {0, 0, 40 * mb, 1}},
      {"SharedWithAChild",
       {0, 0},
       {0, 0, 50 * mb},
       {0, 0, 0, 25 * mb},
       {{0, 0, 50 * mb}},
       {{0, 0, 0, 25 * mb}},
       100 * mb,
       {0, 50 * mb, 0, 1}},
  };
  return all;
}

class MemoryLimit : public ::testing::TestWithParam<Row> {};

TEST_P(MemoryLimit, Counts) {
  const Row& row = GetParam();
  EXPECT_EQ(taken_at_most(row.before, row.worker, row.children), row.at_most);
  const MemoryTaken found = taken(row.before, row.worker, row.worker_mapped, row.children_mapped);
  EXPECT_EQ(found.anonymous, row.taken.anonymous);
  EXPECT_EQ(found.shared, row.taken.shared);
  EXPECT_EQ(found.children, row.taken.children);
  EXPECT_EQ(found.processes, row.taken.processes);
  EXPECT_LE(found.total(), row.at_most);
}

INSTANTIATE_TEST_SUITE_P(Table, MemoryLimit, ::testing::ValuesIn(rows()),
                         [](const auto& row) { return std::string(row.param.name); });

TEST(NextLook, Table) {
  constexpr std::int64_t ms = 1'000'000;
  EXPECT_EQ(next_look_ns(8000 * mb, 0, 0, 1), 50 * ms);
  EXPECT_EQ(next_look_ns(500 * mb, 0, 0, 1), 50 * ms);  // (250 + 31) MB at 2 GB/s would be 147 ms
  EXPECT_EQ(next_look_ns(500 * mb, 500 * mb, 0, 1) / ms, 16);
  EXPECT_EQ(next_look_ns(500 * mb, 900 * mb, 0, 1) / ms, 16);
  EXPECT_EQ(next_look_ns(500 * mb, 500 * mb, 8, 1) / ms, 4);
  EXPECT_EQ(next_look_ns(500 * mb, 500 * mb, 0, 4) / ms, 4);
  EXPECT_EQ(next_look_ns(1, 1, 0, 1) / ms, 4);
  EXPECT_EQ(next_look_ns(1, 1, 100, 1), ms);
  EXPECT_EQ(next_look_ns(UINT64_MAX, 0, 0, 1), 50 * ms);
  EXPECT_EQ(next_look_ns(UINT64_MAX, 0, 1e300, 1), ms);
}

/// Whatever a task does between two looks at this rate, the next one finds it less than 40 % beyond.
TEST(NextLook, HoldsTwoGigabytesASecond) {
  for (const std::uint64_t limit : {64 * mb, 500 * mb, 4000 * mb}) {
    for (const double rate : {0.1, 1.0, 2.0, 4.0}) {
      double taken = 0;
      double pace = 0;
      while (taken <= static_cast<double>(limit)) {
        const std::int64_t pause = next_look_ns(limit, static_cast<std::uint64_t>(taken), pace, 1);
        taken += rate * static_cast<double>(pause);
        pace = rate;
      }
      EXPECT_LT(taken, 1.4 * static_cast<double>(limit)) << limit << " at " << rate;
    }
  }
}

TEST(LimitWatch, WalksOnlyWhereTheCountersDoNotTell) {
  LimitWatch watch;
  EXPECT_FALSE(watch.needs_walk(100, 100, 5));
  EXPECT_TRUE(watch.needs_walk(100, 101, 5));
  watch.walked(150, 30, 5, 6);  // 120 are payloads
  EXPECT_FALSE(watch.needs_walk(100, 150, 7));
  EXPECT_FALSE(watch.needs_walk(100, 220, 7));
  EXPECT_TRUE(watch.needs_walk(100, 221, 7));
  // They may have been unmapped meanwhile, and something else be there.
  EXPECT_TRUE(watch.needs_walk(100, 150, 6 + 250'000'000));
  EXPECT_FALSE(watch.needs_walk(100, 90, 6 + 250'000'000));
}

TEST(LimitWatch, AWalkThatLastsLongIsSeldom) {
  LimitWatch watch;
  watch.walked(150, 30, 0, 100'000'000);
  EXPECT_FALSE(watch.needs_walk(100, 150, 2'000'000'000));
  EXPECT_TRUE(watch.needs_walk(100, 150, 2'100'000'000));
}

TEST(LimitWatch, SeesThePace) {
  LimitWatch watch;
  EXPECT_EQ(watch.looked(100, 10), 0.0);
  EXPECT_EQ(watch.looked(300, 110), 2.0);
  EXPECT_EQ(watch.looked(200, 210), 0.0);
}

}  // namespace
}  // namespace hotspare::death
