#include <hotspare/hotspare.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace {

/// Started afresh such a program would run its own main instead of a zygote's: forks of forks.
TEST(WithoutInit, StartExecIsRefused) {
  hotspare::PoolOptions options;
  options.start = hotspare::Start::exec;
  try {
    hotspare::Pool pool(options);
    FAIL();
  } catch (const hotspare::Error& error) {
    EXPECT_THAT(error.what(), ::testing::HasSubstr("hotspare::init(argc, argv)"));
  }
}

TEST(WithoutInit, StartForkNeedsNone) {
  hotspare::PoolOptions options;
  options.workers = 1;
  hotspare::Pool pool(options);
  EXPECT_EQ(pool.submit([] { return 3; }).get(), 3);
}

}  // namespace
