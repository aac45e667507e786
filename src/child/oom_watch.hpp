#pragma once

#include <cstdint>
#include <string>
#include <sys/types.h>
#include <vector>

namespace hotspare::child {

/// Counts what the kernel kills for memory while a process lives: in the process's own cgroup, and only where that cannot be
/// read, on the whole machine, where others may be meant.
class OomWatch {
 public:
  OomWatch() = default;
  /// From now on. root: of the file system; "" but in tests. earlier: of another process, which may be in the same cgroup; that
  /// saves a search.
  static OomWatch of(pid_t pid, const std::string& root = "", const OomWatch* earlier = nullptr);

  /// Since then.
  std::uint64_t kills() const;
  bool counts_machine() const { return machine_; }

 private:
  std::vector<std::string> folders_;  ///< Of the process's cgroup, as it may be found.
  std::string file_;
  std::uint64_t before_ = 0;
  bool machine_ = true;
};

}  // namespace hotspare::child
