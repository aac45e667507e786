#include "os/process_identity.hpp"

#include "os/files_in_use.hpp"

#include <gtest/gtest.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

namespace hotspare::os {
namespace {

TEST(ProcessIdentity, StartTimeIsField22WhateverTheNameHolds) {
  const std::string rest = " S 1 1 1 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 987654 1000 5";
  EXPECT_EQ(start_time_in("7 (cat)" + rest), 987654u);
  EXPECT_EQ(start_time_in("7 (a) b (c 1 2)" + rest), 987654u);
  for (const char* broken : {"", "7", "7 (cat", "7 (cat) S 1 1"}) EXPECT_EQ(start_time_in(broken), 0u) << broken;
}

TEST(ProcessIdentity, TellsAProcessFromAnotherOfItsNumber) {
  ProcessIdentity self = own_identity();
  EXPECT_EQ(self.pid, ::getpid());
  EXPECT_GT(self.started, 0u);
  EXPECT_EQ(life_of(self), Life::lives);
  --self.started;
  EXPECT_EQ(life_of(self), Life::ended);
  ++self.pid_namespace;
  EXPECT_EQ(life_of(self), Life::unknown);
}

TEST(ProcessIdentity, AZombieHasEnded) {
  const pid_t child = ::fork();
  if (child == 0) ::_exit(0);
  siginfo_t info;
  ASSERT_EQ(::waitid(P_PID, static_cast<id_t>(child), &info, WEXITED | WNOWAIT), 0);
  EXPECT_EQ(life_of({child, start_time_of(child), own_identity().pid_namespace}), Life::ended);
  ::waitpid(child, nullptr, 0);
}

TEST(FilesInUse, ALineOfMapsNamesItsFile) {
  const auto file = file_of_mapping("7f00-7f01 rw-s 00010000 00:1a 4711                       /dev/shm/a b (deleted)");
  ASSERT_TRUE(file);
  EXPECT_EQ(file->device, makedev(0, 0x1a));
  EXPECT_EQ(file->inode, 4711u);
  EXPECT_FALSE(file_of_mapping("7f00-7f01 rw-p 00000000 00:00 0 [heap]"));
  EXPECT_FALSE(file_of_mapping(""));
}

}  // namespace
}  // namespace hotspare::os
