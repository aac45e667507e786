#include "shm/progress.hpp"

#include <gtest/gtest.h>

#include <memory>
#include <thread>

namespace hotspare::shm {
namespace {

Told told_of(std::uint64_t done, std::string_view note) {
  Told told{.done = done, .total = 2 * done};
  note.copy(told.note.data(), note.size());
  return told;
}

TEST(Progress, IsThatOfOneTask) {
  Progress progress;
  EXPECT_EQ(progress.at_of(3), 0);
  EXPECT_FALSE(progress.told_by(3));
  progress.tell(3, 500, told_of(7, "reading"));
  EXPECT_EQ(progress.at_of(3), 500);
  EXPECT_EQ(progress.at_of(4), 0);
  EXPECT_FALSE(progress.told_by(4));
  const auto told = progress.told_by(3);
  ASSERT_TRUE(told);
  EXPECT_EQ(told->done, 7U);
  EXPECT_EQ(told->total, 14U);
  EXPECT_STREQ(told->note.data(), "reading");
}

TEST(Progress, AReaderSeesWholeReportsOnly) {
  const auto progress = std::make_unique<Progress>();
  std::atomic<bool> over{false};
  std::thread writer([&] {
    for (std::uint64_t i = 1; i <= 200'000; ++i) progress->tell(1, 1, told_of(i, i % 2 == 0 ? "even" : "odd"));
    over = true;
  });
  std::uint64_t seen = 0;
  while (!over) {
    const auto told = progress->told_by(1);
    if (!told) continue;
    ++seen;
    EXPECT_EQ(told->total, 2 * told->done);
    EXPECT_STREQ(told->note.data(), told->done % 2 == 0 ? "even" : "odd");
  }
  writer.join();
  EXPECT_EQ(progress->told_by(1)->done, 200'000U);
  EXPECT_GT(seen + 1, 0U);
}

/// A worker that was killed while it wrote.
TEST(Progress, NobodyWaitsForAHalfWrittenOne) {
  struct Torn {
    Progress progress;
  } torn;
  torn.progress.tell(1, 1, told_of(1, "a"));
  *reinterpret_cast<std::uint32_t*>(&torn) += 1;  // the version comes first
  EXPECT_FALSE(torn.progress.told_by(1));
  EXPECT_EQ(torn.progress.at_of(1), 1);
}

}  // namespace
}  // namespace hotspare::shm
