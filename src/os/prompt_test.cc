#include "os/prompt.hpp"

#include <gtest/gtest.h>

#include <cstdint>
#include <cstdio>
#include <sched.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <thread>
#include <unistd.h>

namespace hotspare::os {
namespace {

struct Attr {
  std::uint32_t size, policy;
  std::uint64_t flags;
  std::int32_t nice;
  std::uint32_t priority;
  std::uint64_t runtime, deadline, period;
};

Attr attr_of_this_thread() {
  Attr attr{};
  EXPECT_EQ(::syscall(SYS_sched_getattr, 0, &attr, sizeof attr, 0), 0);
  return attr;
}

bool linux_is_at_least(int major, int minor) {
  utsname name{};
  ::uname(&name);
  int has_major = 0;
  int has_minor = 0;
  EXPECT_EQ(std::sscanf(name.release, "%d.%d", &has_major, &has_minor), 2);
  return has_major > major || (has_major == major && has_minor >= minor);
}

TEST(Prompt, TheThreadHasTheShortestSliceUntilTheEndAndKeepsAllElse) {
  std::thread([] {
    const Attr before = attr_of_this_thread();
    Prompt prompt;
    const Attr during = attr_of_this_thread();
    EXPECT_EQ(during.policy, before.policy);
    EXPECT_EQ(during.nice, before.nice);
    if (linux_is_at_least(6, 12)) {
      EXPECT_EQ(during.runtime, 100'000u);
    }
    prompt.end();
    const Attr after = attr_of_this_thread();
    EXPECT_EQ(after.policy, before.policy);
    EXPECT_EQ(after.nice, before.nice);
    EXPECT_EQ(after.runtime, before.runtime);
  }).join();
}

}  // namespace
}  // namespace hotspare::os
