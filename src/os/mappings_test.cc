#include "os/mappings.hpp"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <sys/mman.h>
#include <unistd.h>

namespace hotspare::os {
namespace {

constexpr std::uint64_t kb = 1024;

/// An entry of smaps as the kernel writes it, shortened.
std::string entry(const std::string& first, int share, int alone, int anonymous) {
  return first + "\nSize:      9000 kB\nRss:   " + std::to_string(9 * share) + " kB\nPss:   " + std::to_string(share) +
         " kB\nPss_Dirty:   1 kB\nShared_Dirty:   5 kB\nPrivate_Clean:   1 kB\nPrivate_Dirty:   " +
         std::to_string(alone - 1) + " kB\nAnonymous:   " + std::to_string(anonymous) + " kB\nVmFlags: rd wr sh mr\n";
}

class Mappings : public ::testing::Test {
 protected:
  Mappings() : root_((std::filesystem::temp_directory_path() / ("maps-" + std::to_string(::getpid()))).string()) {
    std::filesystem::create_directories(root_ + "/proc/7");
  }
  ~Mappings() override { std::filesystem::remove_all(root_); }
  void write(const std::string& file, const std::string& text) { std::ofstream(root_ + "/proc/7/" + file) << text; }
  std::string root_;
};

TEST_F(Mappings, OfAllKinds) {
  write("smaps", entry("55c0-55d0 rw-p 00000000 00:00 0                          [heap]", 100, 60, 140) +
                     entry("7f00-7f01 r-xp 00000000 08:01 99    /usr/lib/libc.so.6", 40, 30, 8) +
                     entry("7f02-7f03 rw-s 00000000 00:01 14139      /dev/zero (deleted)", 200, 200, 0) +
                     entry("7f04-7f05 rw-s 00000000 00:01 5      /memfd:mine (deleted)", 300, 300, 0) +
                     entry("7f06-7f07 rw-s 00000000 00:01 6      /memfd:hotspare-payload (deleted)", 400, 400, 0) +
                     entry("7f08-7f09 rw-s 00000000 00:19 7      /dev/shm/of a file", 500, 500, 0) +
                     entry("7f0a-7f0b rw-s 00000000 00:19 8      /dev/shm/removed (deleted)", 600, 600, 0) +
                     entry("7f0c-7f0d rw-s 00000000 00:01 9      /SYSV00000000 (deleted)", 700, 700, 0) +
                     entry("7f0e-7f0f rw-p 00000000 00:01 6      /memfd:hotspare-payload (deleted)", 90, 90, 50));
  const Mapped all = mapped(7, {}, root_);
  EXPECT_EQ(all.anonymous, (140 + 8 + 50) * kb);
  EXPECT_EQ(all.anonymous_alone, (60 + 8 + 50) * kb);
  EXPECT_EQ(all.anonymous_share, (100 + 8 + 50) * kb);
  EXPECT_EQ(all.nameless_share, (200 + 300 + 600 + 700) * kb);
  EXPECT_EQ(mapped(7, {14139, 8}, root_).nameless_share, (300 + 700) * kb);
}

TEST_F(Mappings, NamelessOnes) {
  write("maps",
        "55c0-55d0 rw-p 00000000 00:00 0                          [heap]\n"
        "7f02-7f03 rw-s 00000000 00:01 14139      /dev/zero (deleted)\n"
        "7f0e-7f0f rw-p 00000000 00:01 6      /memfd:private (deleted)\n"
        "7f06-7f07 rw-s 00000000 00:01 6      /memfd:hotspare-payload (deleted)\n"
        "nonsense\n");
  EXPECT_EQ(nameless_memory(7, root_), (std::set<std::uint64_t>{14139}));
}

TEST_F(Mappings, OfNobody) {
  EXPECT_EQ(mapped(8, {}, root_).anonymous, 0U);
  EXPECT_TRUE(nameless_memory(8, root_).empty());
}

TEST(MappedOfThisProcess, HasWhatItTouched) {
  constexpr std::size_t size = 8 << 20;
  const Mapped before = mapped(::getpid(), {});
  void* const room = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
  ASSERT_NE(room, MAP_FAILED);
  const Mapped after = mapped(::getpid(), {});
  EXPECT_EQ(after.nameless_share, before.nameless_share + size);
  EXPECT_EQ(mapped(::getpid(), nameless_memory(::getpid())).nameless_share, 0U);
  EXPECT_GT(after.anonymous_share, 0U);
  ::munmap(room, size);
}

}  // namespace
}  // namespace hotspare::os
