#include "shm/returned_leases.hpp"

#include <gtest/gtest.h>

#include <vector>

namespace hotspare::shm {
namespace {

TEST(ReturnedLeasesTest, FirstInFirstOutUpToItsCapacity) {
  ReturnedLeases ring;
  std::uint64_t position = 0;
  std::vector<std::uint64_t> seen;
  const auto take = [&] { ring.take(position, [&](std::uint64_t id) { seen.push_back(id); }); };
  take();
  for (std::uint64_t id = 1; id <= ReturnedLeases::capacity; ++id) EXPECT_TRUE(ring.give(id));
  EXPECT_FALSE(ring.give(999));
  take();
  ASSERT_EQ(seen.size(), ReturnedLeases::capacity);
  for (std::uint64_t id = 1; id <= seen.size(); ++id) EXPECT_EQ(seen[id - 1], id);
  EXPECT_TRUE(ring.give(999));
  take();
  EXPECT_EQ(seen.back(), 999u);
}

TEST(ReturnedLeasesTest, APositionThatCannotBeIsPassedOver) {
  ReturnedLeases ring;
  std::uint64_t position = 0;
  int seen = 0;
  for (const std::uint64_t nonsense : {std::uint64_t{1} << 40, ~std::uint64_t{0}, std::uint64_t{1} << 20}) {
    ring.given = nonsense;
    ring.take(position, [&](std::uint64_t) { ++seen; });
  }
  EXPECT_EQ(seen, 0);
  EXPECT_TRUE(ring.give(5));
  ring.take(position, [&](std::uint64_t id) { seen += static_cast<int>(id); });
  EXPECT_EQ(seen, 5);
}

}  // namespace
}  // namespace hotspare::shm
