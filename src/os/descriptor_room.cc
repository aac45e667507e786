#include "os/descriptor_room.hpp"

#include <sys/resource.h>

namespace hotspare::os {

DescriptorRoom::DescriptorRoom() noexcept {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= limit.rlim_max) return;
  const rlimit wide{limit.rlim_max, limit.rlim_max};
  if (::setrlimit(RLIMIT_NOFILE, &wide) == 0) before_ = limit.rlim_cur;
}

void DescriptorRoom::give_back() const noexcept {
  rlimit limit{};
  if (before_ == 0 || ::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = before_;
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

}  // namespace hotspare::os
