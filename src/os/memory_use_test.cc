#include "os/memory_use.hpp"

#include "support/under_tsan.hpp"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <sys/mman.h>
#include <unistd.h>
#include <vector>

namespace hotspare::os {
namespace {

constexpr std::uint64_t mb = 1 << 20;

/// A file system's root with the files that the kernel would show.
class FakeRoot : public ::testing::Test {
 protected:
  FakeRoot() : root_((std::filesystem::temp_directory_path() / ("root-" + std::to_string(::getpid()))).string()) {
    write("/proc/meminfo", "MemTotal:       16000000 kB\nMemFree:  100 kB\nMemAvailable:    1024000 kB\n");
  }
  ~FakeRoot() override { std::filesystem::remove_all(root_); }
  void write(const std::string& path, const std::string& text) {
    std::filesystem::create_directories(std::filesystem::path(root_ + path).parent_path());
    std::ofstream(root_ + path) << text;
  }
  std::string root_;
};

TEST_F(FakeRoot, WithoutCgroupsTheMachineCounts) { EXPECT_EQ(available_memory(root_), 1000 * mb); }

TEST_F(FakeRoot, UsableIsWhatTheTightestGroupMayHave) {
  EXPECT_EQ(usable_memory(root_), 16000000 * 1024ULL);
  write("/proc/self/cgroup", "4:memory:/docker/abc\n0::/user/job\n");
  write("/sys/fs/cgroup/user/job/memory.max", "max\n");
  EXPECT_EQ(usable_memory(root_), 16000000 * 1024ULL);
  write("/sys/fs/cgroup/user/memory.max", "734003200\n");
  EXPECT_EQ(usable_memory(root_), 700 * mb);
  write("/sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n");  // v1's word for none
  EXPECT_EQ(usable_memory(root_), 700 * mb);
  write("/sys/fs/cgroup/memory/docker/abc/memory.limit_in_bytes", "209715200\n");
  EXPECT_EQ(usable_memory(root_), 200 * mb);
}

TEST_F(FakeRoot, TheKernelEndsAGroupWholeIfItOrOneAboveIsSetSo) {
  EXPECT_FALSE(group_is_ended_whole(root_));
  write("/proc/self/cgroup", "4:memory:/docker/abc\n0::/pods/one/two\n");
  write("/sys/fs/cgroup/pods/one/two/memory.oom.group", "0\n");
  EXPECT_FALSE(group_is_ended_whole(root_));
  write("/sys/fs/cgroup/pods/memory.oom.group", "1\n");
  EXPECT_TRUE(group_is_ended_whole(root_));
  write("/sys/fs/cgroup/pods/memory.oom.group", "0\n");
  EXPECT_FALSE(group_is_ended_whole(root_));
  write("/sys/fs/cgroup/pods/one/two/memory.oom.group", "1\n");
  EXPECT_TRUE(group_is_ended_whole(root_));
}

TEST_F(FakeRoot, V2) {
  write("/proc/self/cgroup", "0::/user/job\n");
  write("/sys/fs/cgroup/user/job/memory.max", "524288000\n");  // 500 MB
  write("/sys/fs/cgroup/user/job/memory.current", "419430400\n");
  write("/sys/fs/cgroup/user/job/memory.stat", "anon 100\ninactive_file 52428800\nactive_file 3\n");
  EXPECT_EQ(available_memory(root_), 150 * mb);
}

TEST_F(FakeRoot, V2WithALimitFurtherUp) {
  write("/proc/self/cgroup", "0::/user/job\n");
  write("/sys/fs/cgroup/user/job/memory.max", "max\n");
  write("/sys/fs/cgroup/user/job/memory.current", "1048576\n");
  write("/sys/fs/cgroup/user/memory.max", "104857600\n");
  write("/sys/fs/cgroup/user/memory.current", "52428800\n");
  EXPECT_EQ(available_memory(root_), 50 * mb);
}

TEST_F(FakeRoot, V1) {
  write("/proc/self/cgroup", "4:memory:/docker/abc\n0::/\n");
  write("/sys/fs/cgroup/memory/docker/abc/memory.limit_in_bytes", "209715200\n");
  write("/sys/fs/cgroup/memory/docker/abc/memory.usage_in_bytes", "104857600\n");
  write("/sys/fs/cgroup/memory/docker/abc/memory.stat", "cache 5\ntotal_inactive_file 1048576\n");
  EXPECT_EQ(available_memory(root_), 101 * mb);
}

/// In a container its own folder is mounted, and the path that the kernel tells is not there.
TEST_F(FakeRoot, V1InAContainer) {
  write("/proc/self/cgroup", "4:memory:/docker/abc\n");
  write("/sys/fs/cgroup/memory/memory.limit_in_bytes", "209715200\n");
  write("/sys/fs/cgroup/memory/memory.usage_in_bytes", "199229440\n");
  EXPECT_EQ(available_memory(root_), 10 * mb);
}

TEST_F(FakeRoot, MoreThanTheLimitIsUsed) {
  write("/proc/self/cgroup", "0::/\n");
  write("/sys/fs/cgroup/memory.max", "1000\n");
  write("/sys/fs/cgroup/memory.current", "2000\n");
  EXPECT_EQ(available_memory(root_), 0U);
}

TEST(PrivateResident, GrowsWithWhatIsTouched) {
  const std::uint64_t before = private_resident(0);
  EXPECT_GT(before, 0U);
  const std::vector<char> touched(64 * mb, 'x');
  EXPECT_GE(private_resident(0), before + 60 * mb);
  EXPECT_GE(private_resident(::getpid()), before + 60 * mb);
  EXPECT_EQ(private_resident(0x7ffffff), 0U);
}

TEST(Resident, TellsTheKindsApart) {
  if (testing::under_tsan()) GTEST_SKIP() << "its shadow counts";
  const Resident before = resident(::getpid());
  EXPECT_GT(before.anonymous, 0U);
  EXPECT_GT(before.file, 0U);
  const std::vector<char> touched(64 * mb, 'x');
  void* const room = ::mmap(nullptr, 32 * mb, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
  const Resident after = resident(::getpid());
  ::munmap(room, 32 * mb);
  EXPECT_GE(after.anonymous, before.anonymous + 60 * mb);
  EXPECT_LT(after.anonymous, before.anonymous + 90 * mb);
  EXPECT_GE(after.shared, before.shared + 31 * mb);
  EXPECT_LT(after.shared, before.shared + 40 * mb);
  EXPECT_EQ(resident(0x7ffffff).anonymous, 0U);
}

TEST(AvailableMemory, IsSomething) {
  EXPECT_GT(available_memory(), 0U);
  EXPECT_LT(available_memory(), UINT64_MAX);
}

}  // namespace
}  // namespace hotspare::os
