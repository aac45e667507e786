#include "os/system_calls.hpp"

#include <gtest/gtest.h>

#include <sys/syscall.h>

namespace hotspare::os {
namespace {

TEST(SystemCallName, KnowsThoseOfTheHeaders) {
  EXPECT_EQ(system_call_name(SYS_read), "read");
  EXPECT_EQ(system_call_name(SYS_ptrace), "ptrace");
  EXPECT_EQ(system_call_name(SYS_exit_group), "exit_group");
}

TEST(SystemCallName, SaysNothingOfOthers) {
  EXPECT_EQ(system_call_name(-1), "");
  EXPECT_EQ(system_call_name(1 << 20), "");
}

}  // namespace
}  // namespace hotspare::os
