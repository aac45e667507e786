#include "support/test_pool.hpp"

#include <gtest/gtest.h>

#include <csignal>
#include <cstdlib>
#include <dirent.h>
#include <fstream>
#include <string>

/// P7 over many deaths: nothing grows. HOTSPARE_SOAK_DEATHS sets how many (bench/RESULTS.md has a run of 10 000).
namespace hotspare::testing {
namespace {

std::size_t open_descriptors() {
  std::size_t count = 0;
  DIR* folder = ::opendir("/proc/self/fd");
  while (::readdir(folder) != nullptr) ++count;
  ::closedir(folder);
  return count;
}

std::size_t own_memory_kb() {
  std::ifstream file("/proc/self/status");
  for (std::string line; std::getline(file, line);)
    if (line.starts_with("VmRSS:")) return std::strtoul(line.c_str() + 6, nullptr, 10);
  return 0;
}

void deaths(Pool& pool, int count) {
  for (int i = 0; i < count; ++i) {
    const auto outcome = pool.submit([](int n) { ::raise(n % 3 == 0 ? SIGSEGV : SIGKILL); }, i).outcome();
    ASSERT_NE(outcome.report(), nullptr);
  }
}

TEST(LongSoak, ManyDeathsLeaveNothingBehind) {
  const char* wish = std::getenv("HOTSPARE_SOAK_DEATHS");
  const int count = wish != nullptr ? std::atoi(wish) : 1000;
  Pool pool(small_pool());
  deaths(pool, 200);  // caches fill
  const std::size_t descriptors = open_descriptors();
  const std::size_t memory = own_memory_kb();
  deaths(pool, count);
  // The pool is between two refills, so a worker more or less is no leak: each has four descriptors.
  EXPECT_LE(open_descriptors(), descriptors + 8);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
  EXPECT_LE(own_memory_kb(), memory + 2048);  // sanitizers keep what was freed for a while
#else
  static_cast<void>(memory);
#endif
  EXPECT_EQ(pool.stats().died, static_cast<std::uint64_t>(count) + 200);
  RecordProperty("descriptors", static_cast<int>(open_descriptors()));
}

}  // namespace
}  // namespace hotspare::testing
