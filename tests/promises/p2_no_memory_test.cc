#include "support/sanitizer.hpp"
#include "support/signals.hpp"
#include "support/test_pool.hpp"

#include <gtest/gtest.h>

#include <sys/resource.h>

#include <cstdio>
#include <cstring>
#include <string>
#include <vector>

/// P2. Where the host has no memory for a result, that task ends with an error that says so; the host and all others go on.
namespace hotspare::testing {
namespace {

std::string big(int bytes) { return std::string(static_cast<std::size_t>(bytes), 'x'); }

/// For its lifetime this process gets so much more private memory, and no more.
class LittleMemory {
 public:
  explicit LittleMemory(rlim_t more) {
    ::getrlimit(RLIMIT_DATA, &before_);
    rlimit limit = before_;
    limit.rlim_cur = in_use() + more;
    EXPECT_EQ(::setrlimit(RLIMIT_DATA, &limit), 0);
  }
  ~LittleMemory() { ::setrlimit(RLIMIT_DATA, &before_); }
  LittleMemory(const LittleMemory&) = delete;
  LittleMemory& operator=(const LittleMemory&) = delete;

 private:
  static rlim_t in_use() {
    unsigned long kilobytes = 0;
    std::FILE* status = std::fopen("/proc/self/status", "r");
    for (char line[256]; std::fgets(line, sizeof line, status) != nullptr;)
      if (std::sscanf(line, "VmData: %lu kB", &kilobytes) == 1) break;
    std::fclose(status);
    return rlim_t{kilobytes} * 1024;
  }
  rlimit before_{};
};

TEST(P2NoMemory, AResultWithoutRoomIsItsTasksError) {
  if (sanitized()) GTEST_SKIP() << "the sanitizer maps terabytes, so that no limit can be set";
  constexpr int tasks = 200;
  constexpr int bytes = 200'000;
  Pool pool(small_pool());
  pool.submit(big, bytes).wait();
  std::vector<Future<std::string>> futures;
  futures.reserve(tasks);
  Signals done;
  {
    const LittleMemory little(8 << 20);
    for (int i = 0; i < tasks; ++i) {
      futures.push_back(pool.submit(big, bytes));
      futures.back().on_done([&](const Future<std::string>&) { done.give(); });
    }
    done.take(tasks);
  }
  int values = 0;
  for (const auto& future : futures) {
    const auto outcome = future.outcome();
    if (outcome.ok()) {
      EXPECT_EQ(outcome.value().size(), static_cast<std::size_t>(bytes));
      ++values;
      continue;
    }
    try {
      std::rethrow_exception(outcome.error());
    } catch (const PayloadError& error) {
      EXPECT_NE(std::strstr(error.what(), "memory"), nullptr) << error.what();
    }
  }
  EXPECT_GT(values, 0);
  EXPECT_LT(values, tasks);
  EXPECT_EQ(pool.submit(big, bytes).get().size(), static_cast<std::size_t>(bytes));
  pool.shutdown();
  const Stats stats = pool.stats();
  EXPECT_EQ(stats.refused, static_cast<unsigned>(tasks - values));
  EXPECT_EQ(stats.values + stats.refused, stats.submitted);
  EXPECT_EQ(stats.deaths, 0u);
}

}  // namespace
}  // namespace hotspare::testing
