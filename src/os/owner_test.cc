#include "os/owner.hpp"

#include <gtest/gtest.h>

#include <sys/wait.h>
#include <unistd.h>

namespace hotspare::os {
namespace {

/// Whether it held in a fork of this process.
template <class F>
bool in_fork(F holds) {
  const pid_t child = ::fork();
  if (child == 0) ::_exit(holds() ? 0 : 1);
  int status = -1;
  ::waitpid(child, &status, 0);
  return status == 0;
}

TEST(OwnerTest, AForkOwnsNothingOfItsParentAndParentNothingOfIt) {
  const Owner parents;
  EXPECT_TRUE(parents.is_this());
  EXPECT_TRUE(in_fork([&] {
    if (parents.is_this()) return false;
    const Owner own;
    return own.is_this() && !parents.is_this() && in_fork([&] {
             const Owner grandchilds;
             return grandchilds.is_this() && !own.is_this() && !parents.is_this();
           });
  }));
  EXPECT_TRUE(parents.is_this());
}

TEST(OwnerTest, AForkIsCountedBeforeAndAfter) {
  const std::uint64_t before = forks_so_far();
  EXPECT_EQ(forks_so_far(), before);
  EXPECT_TRUE(in_fork([&] { return forks_so_far() != before; }));
  EXPECT_EQ(forks_so_far(), before + 2);
}

}  // namespace
}  // namespace hotspare::os
