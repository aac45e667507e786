#include "os/family.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>
#include <fstream>
#include <string>
#include <sys/wait.h>
#include <unistd.h>
#include <vector>

namespace hotspare::os {
namespace {

using ::testing::Contains;
using ::testing::IsEmpty;

/// A leader of a group with a child, in the group or not, both of which only wait.
class Family : public ::testing::Test {
 protected:
  void start(bool child_leaves) {
    int ready[2];
    ASSERT_EQ(::pipe(ready), 0);
    leader_ = ::fork();
    if (leader_ == 0) {
      ::setpgid(0, 0);
      const pid_t child = ::fork();
      if (child == 0) {
        if (child_leaves) ::setsid();
        const pid_t self = ::getpid();
        if (::write(ready[1], &self, sizeof self) < 0) ::_exit(1);
      }
      for (;;) ::pause();
    }
    ASSERT_EQ(::read(ready[0], &child_, sizeof child_), static_cast<ssize_t>(sizeof child_));
    ::close(ready[0]);
    ::close(ready[1]);
  }
  ~Family() override {
    if (child_ > 0) ::kill(child_, SIGKILL);
    ::kill(leader_, SIGKILL);
    ::waitpid(leader_, nullptr, 0);
  }
  pid_t leader_ = 0;
  pid_t child_ = 0;
};

TEST_F(Family, ChildrenAndTheirs) {
  start(true);
  EXPECT_THAT(children_of(::getpid()), Contains(leader_));
  EXPECT_EQ(children_of(leader_), std::vector<pid_t>{child_});
  EXPECT_THAT(family_of(::getpid(), 0), Contains(child_));
  EXPECT_EQ(family_of(leader_, ::getpid()), std::vector<pid_t>{child_});
  EXPECT_THAT(family_of(child_, 0), IsEmpty());
}

TEST_F(Family, AllButTheEldestAreKilled) {
  start(false);
  const pid_t child = child_;
  child_ = 0;  // its number may soon be another's
  kill_family_of(leader_, ::getpid());
  siginfo_t info{};
  // It stays a zombie, as its parent does not wait for it.
  std::string state;
  while (state != "Z") {
    std::ifstream stat("/proc/" + std::to_string(child) + "/stat");
    std::string skip;
    stat >> skip >> skip >> state;
  }
  EXPECT_EQ(::waitid(P_PID, static_cast<id_t>(leader_), &info, WEXITED | WNOHANG | WNOWAIT), 0);
  EXPECT_EQ(info.si_pid, 0) << "the eldest is gone, too";
}

TEST(FamilyOf, Nobody) {
  EXPECT_THAT(children_of(0x7ffffff), IsEmpty());
  EXPECT_THAT(family_of(0x7ffffff, 0x7ffffff), IsEmpty());
}

}  // namespace
}  // namespace hotspare::os
