#include "os/prompt.hpp"

#include <cstdint>
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace hotspare::os {
namespace {

// As of Linux's sched/types.h, which newer glibcs define as well.
struct SchedAttr {
  std::uint32_t size;
  std::uint32_t policy;
  std::uint64_t flags;
  std::int32_t nice;
  std::uint32_t priority;
  std::uint64_t slice_ns;
  std::uint64_t deadline_ns;
  std::uint64_t period_ns;
};

constexpr std::uint64_t shortest_slice_ns = 100'000;

void set(SchedAttr attr) noexcept { ::syscall(SYS_sched_setattr, 0, &attr, 0); }

}  // namespace

Prompt::Prompt() noexcept {
  SchedAttr attr{};
  if (::syscall(SYS_sched_getattr, 0, &attr, sizeof attr, 0) != 0) return;
  // A real-time policy that the host gave its threads is prompt enough.
  if (attr.policy != SCHED_OTHER && attr.policy != SCHED_BATCH) return;
  policy_ = attr.policy;
  nice_ = attr.nice;
  before_ns_ = attr.slice_ns;
  set({sizeof attr, policy_, 0, nice_, 0, shortest_slice_ns, 0, 0});
  asked_ = true;
}

void Prompt::end() noexcept {
  if (!asked_) return;
  asked_ = false;
  set({sizeof(SchedAttr), policy_, 0, nice_, 0, before_ns_, 0, 0});
}

}  // namespace hotspare::os
