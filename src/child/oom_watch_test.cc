#include "child/oom_watch.hpp"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <unistd.h>

namespace hotspare::child {
namespace {

constexpr pid_t pid = 77;

/// A file system with a process in it.
class OomWatches : public ::testing::Test {
 protected:
  ~OomWatches() override { std::filesystem::remove_all(root_); }
  void write(const std::string& path, const std::string& text) const {
    const std::filesystem::path file = root_ / path;
    std::filesystem::create_directories(file.parent_path());
    std::ofstream(file) << text;
  }
  OomWatch watch() const { return OomWatch::of(pid, root_.string()); }
  OomWatch watch_after(const OomWatch& earlier) const { return OomWatch::of(pid, root_.string(), &earlier); }

 private:
  const std::filesystem::path root_ =
      std::filesystem::temp_directory_path() / ("oom-watch-" + std::to_string(::getpid()));
};

TEST_F(OomWatches, V1CountsInTheProcesssOwnGroupOnly) {
  write("proc/77/cgroup", "4:memory:/jobs/one\n1:cpu:/\n0::/\n");
  write("proc/vmstat", "pgfault 9\noom_kill 5\n");
  write("sys/fs/cgroup/memory/jobs/one/memory.oom_control", "oom_kill_disable 0\nunder_oom 0\noom_kill 2\n");
  write("sys/fs/cgroup/memory/memory.oom_control", "oom_kill_disable 0\nunder_oom 0\noom_kill 0\n");
  const OomWatch own = watch();
  EXPECT_FALSE(own.counts_machine());
  write("proc/vmstat", "pgfault 9\noom_kill 6\n");  // a stranger
  write("sys/fs/cgroup/memory/memory.oom_control", "oom_kill_disable 0\nunder_oom 0\noom_kill 1\n");
  EXPECT_EQ(own.kills(), 0U);
  write("sys/fs/cgroup/memory/jobs/one/memory.oom_control", "oom_kill_disable 0\nunder_oom 0\noom_kill 3\n");
  EXPECT_EQ(own.kills(), 1U);
}

TEST_F(OomWatches, InAContainerTheOwnGroupIsTheMount) {
  write("proc/77/cgroup", "4:memory:/docker/0123\n");
  write("sys/fs/cgroup/memory/memory.oom_control", "oom_kill_disable 0\nunder_oom 0\noom_kill 1\n");
  const OomWatch own = watch();
  EXPECT_FALSE(own.counts_machine());
  write("sys/fs/cgroup/memory/memory.oom_control", "oom_kill_disable 0\nunder_oom 0\noom_kill 2\n");
  EXPECT_EQ(own.kills(), 1U);
}

TEST_F(OomWatches, AnEarlierOneSavesTheSearchButNotTheLook) {
  write("proc/77/cgroup", "4:memory:/jobs/one\n");
  write("sys/fs/cgroup/memory/jobs/one/memory.oom_control", "oom_kill_disable 0\nunder_oom 0\noom_kill 2\n");
  const OomWatch earlier = watch();
  write("sys/fs/cgroup/memory/jobs/one/memory.oom_control", "oom_kill_disable 0\nunder_oom 0\noom_kill 3\n");
  EXPECT_EQ(watch_after(earlier).kills(), 0U);
  EXPECT_EQ(earlier.kills(), 1U);
  // Somebody moved the program to another group meanwhile.
  write("proc/77/cgroup", "4:memory:/jobs/two\n");
  write("sys/fs/cgroup/memory/jobs/two/memory.oom_control", "oom_kill_disable 0\nunder_oom 0\noom_kill 0\n");
  const OomWatch moved = watch_after(earlier);
  write("sys/fs/cgroup/memory/jobs/two/memory.oom_control", "oom_kill_disable 0\nunder_oom 0\noom_kill 1\n");
  EXPECT_EQ(moved.kills(), 1U);
}

TEST_F(OomWatches, V2CountsLocally) {
  write("proc/77/cgroup", "0::/user.slice/a\n");
  write("sys/fs/cgroup/user.slice/a/memory.events", "low 0\nhigh 0\nmax 4\noom 3\noom_kill 7\noom_group_kill 0\n");
  write("sys/fs/cgroup/user.slice/a/memory.events.local", "low 0\nmax 4\noom 3\noom_kill 1\n");
  const OomWatch own = watch();
  EXPECT_FALSE(own.counts_machine());
  write("sys/fs/cgroup/user.slice/a/memory.events", "low 0\nhigh 0\nmax 4\noom 3\noom_kill 8\noom_group_kill 0\n");
  EXPECT_EQ(own.kills(), 0U);
  write("sys/fs/cgroup/user.slice/a/memory.events.local", "low 0\nmax 4\noom 3\noom_kill 2\n");
  EXPECT_EQ(own.kills(), 1U);
}

TEST_F(OomWatches, WhereNoGroupCanBeReadTheMachineIsAsked) {
  write("proc/77/cgroup", "0::/\n");
  write("proc/vmstat", "pgfault 9\noom_kill 5\n");
  const OomWatch machine = watch();
  EXPECT_TRUE(machine.counts_machine());
  write("proc/vmstat", "pgfault 9\noom_kill 7\n");
  EXPECT_EQ(machine.kills(), 2U);
}

TEST_F(OomWatches, WhereNothingCanBeReadNothingIsKnown) {
  EXPECT_EQ(watch().kills(), 0U);
  EXPECT_EQ(OomWatch().kills(), 0U);
}

}  // namespace
}  // namespace hotspare::child
