#pragma once

#include "os/fd.hpp"
#include "supervisor/fork_guard.hpp"

namespace hotspare::child {

/// The host's end of something by which a child learns that the host is gone: closed in whatever the program forks, which
/// would keep it open otherwise. Closes once; in such a fork, where it is closed already, not at all.
class HostEnd {
 public:
  HostEnd() noexcept = default;
  explicit HostEnd(os::Fd fd) : fd_(std::move(fd)) {
    if (fd_) supervisor::close_in_forks(fd_.get());
  }
  HostEnd(HostEnd&&) noexcept = default;
  HostEnd& operator=(HostEnd&& other) noexcept = default;
  HostEnd(const HostEnd&) = delete;
  HostEnd& operator=(const HostEnd&) = delete;
  ~HostEnd() { reset(); }

  void reset() noexcept {
    if (fd_ && !supervisor::forget_in_forks(fd_.get())) static_cast<void>(fd_.release());
    fd_.reset();
  }
  const os::Fd& fd() const noexcept { return fd_; }
  explicit operator bool() const noexcept { return static_cast<bool>(fd_); }

 private:
  os::Fd fd_;
};

}  // namespace hotspare::child
