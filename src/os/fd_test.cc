#include "os/fd.hpp"

#include <gtest/gtest.h>

#include <fcntl.h>
#include <unistd.h>

namespace hotspare::os {
namespace {

TEST(Fd, IsNeverAStandardStream) {
  const int saved = ::dup(0);
  ::close(0);
  const Fd fd(::open("/dev/null", O_RDONLY | O_CLOEXEC));  // the lowest number that is free: 0
  EXPECT_GT(fd.get(), 2);
  EXPECT_EQ(::fcntl(fd.get(), F_GETFD), FD_CLOEXEC);
  EXPECT_EQ(::fcntl(0, F_GETFD), -1);
  ::dup2(saved, 0);
  ::close(saved);
}

TEST(Fd, WhatWasNotOpenedIsEmpty) { EXPECT_FALSE(Fd(-1)); }

}  // namespace
}  // namespace hotspare::os
