#pragma once

#include "os/fd.hpp"
#include "os/result.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace hotspare::os {

enum class FolderChange : unsigned char { appeared, vanished, renamed, closed, overflowed };
struct FolderEvent {
  FolderChange change;
  std::string name;
  std::string new_name;  ///< If renamed.
};

/// Tells what happens to the names in a folder (inotify). overflowed: events were lost, look at everything again.
class FolderWatch {
 public:
  static Result<FolderWatch> make(const std::string& folder);
  /// Waits for the next events; until the deadline (CLOCK_MONOTONIC, ns), if there is one.
  void wait(std::int64_t deadline_ns = -1) noexcept;
  /// What has happened so far; never waits.
  std::vector<FolderEvent> take();
  const Fd& fd() const { return fd_; }

 private:
  explicit FolderWatch(Fd fd) : fd_(std::move(fd)) {}
  Fd fd_;
};

}  // namespace hotspare::os
