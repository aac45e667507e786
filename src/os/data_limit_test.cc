#include "os/data_limit.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <fcntl.h>
#include <filesystem>
#include <string>
#include <sys/mman.h>
#include <sys/wait.h>
#include <system_error>
#include <unistd.h>

namespace hotspare::os {
namespace {

constexpr std::size_t mb = 1 << 20;

rlimit data_limit_now() {
  rlimit limit{};
  ::getrlimit(RLIMIT_DATA, &limit);
  return limit;
}

/// In a process of its own: a hard limit cannot be taken back. True: nothing failed.
template <class F>
bool holds_in_child(F body) {
  const pid_t child = ::fork();
  if (child == 0) {
    body();
    ::_exit(::testing::Test::HasFailure() ? 1 : 0);
  }
  int status = -1;
  ::waitpid(child, &status, 0);
  return status == 0;
}

TEST(ParseStatm, Fields) {
  const MemoryInUse use = parse_statm("1000 300 100 5 0 200 0\n");
  EXPECT_EQ(use.data, 200U * 4096);
  EXPECT_EQ(use.anonymous, 200U * 4096);
  EXPECT_EQ(use.file_and_shared, 100U * 4096);
  EXPECT_EQ(parse_statm("").data, 0U);
  EXPECT_EQ(parse_statm("nonsense").data, 0U);
}

TEST(MemoryGauge, SeesWhatIsTakenAndGivenBack) {
  MemoryGauge gauge;
  const std::uint64_t before = gauge.read().data;
  EXPECT_GT(before, 0U);
  void* const taken = ::mmap(nullptr, 64 * mb, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  EXPECT_EQ(gauge.read().data, before + 64 * mb);
  EXPECT_EQ(gauge.read().data, memory_in_use().data);
  ::munmap(taken, 64 * mb);
  EXPECT_EQ(gauge.read().data, before);
}

TEST(MemoryGauge, SurvivesThatAllDescriptorsAreClosedAndTheirNumbersUsedAgain) {
  EXPECT_TRUE(holds_in_child([] {
    MemoryGauge gauge;
    const std::uint64_t before = gauge.read().data;
    for (int fd = 3; fd < 100; ++fd) ::close(fd);
    EXPECT_EQ(gauge.read().data, before);
    for (int fd = 3; fd < 100; ++fd) ::close(fd);
    const int other = ::open("/proc/self/status", O_RDONLY | O_CLOEXEC);
    EXPECT_EQ(other, 3);
    EXPECT_EQ(gauge.read().data, before);
    EXPECT_EQ(::fcntl(other, F_GETFD), FD_CLOEXEC);  // it was not closed for that
  }));
}

TEST(MemoryGauge, ProgramsThatAreStartedDoNotGetIt) {
  MemoryGauge gauge;
  gauge.read();
  int found = 0;
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
    std::error_code gone;  // the folder's own descriptor is among them
    if (!std::filesystem::read_symlink(entry, gone).string().ends_with("/statm")) continue;
    ++found;
    EXPECT_EQ(::fcntl(std::stoi(entry.path().filename()), F_GETFD), FD_CLOEXEC);
  }
  EXPECT_EQ(found, 1);
}

TEST(DataLimit, SetsAndRestores) {
  const rlimit usual = data_limit_now();
  DataLimit limit;
  for (int i = 0; i < 2; ++i) {
    limit.set(4096 * mb);
    EXPECT_EQ(data_limit_now().rlim_cur, 4096 * mb);
    EXPECT_EQ(data_limit_now().rlim_max, usual.rlim_max);
    limit.restore();
    EXPECT_EQ(data_limit_now().rlim_cur, usual.rlim_cur);
    EXPECT_EQ(data_limit_now().rlim_max, usual.rlim_max);
  }
}

/// A program may lower its hard limit for good, before or while ours holds: that is its affair, and is not undone.
TEST(DataLimit, AHardLimitThatWasLoweredStays) {
  EXPECT_TRUE(holds_in_child([] {
    const auto lower = [](std::size_t soft, std::size_t hard) {
      const rlimit wanted{soft, hard};
      EXPECT_EQ(::setrlimit(RLIMIT_DATA, &wanted), 0);
    };
    DataLimit limit;
    lower(8000 * mb, 8000 * mb);
    limit.set(9000 * mb);
    EXPECT_EQ(data_limit_now().rlim_cur, 8000 * mb);
    EXPECT_EQ(data_limit_now().rlim_max, 8000 * mb);
    lower(5000 * mb, 7000 * mb);  // by the task
    limit.restore();
    EXPECT_EQ(data_limit_now().rlim_cur, 7000 * mb);
    EXPECT_EQ(data_limit_now().rlim_max, 7000 * mb);
    limit.set(1000 * mb);
    EXPECT_EQ(data_limit_now().rlim_cur, 1000 * mb);
    lower(1000 * mb, 6000 * mb);
    limit.restore();
    EXPECT_EQ(data_limit_now().rlim_cur, 6000 * mb);
    EXPECT_EQ(data_limit_now().rlim_max, 6000 * mb);
  }));
}

}  // namespace
}  // namespace hotspare::os
