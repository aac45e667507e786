#pragma once

#include "os/process.hpp"

#include <cstdint>
#include <sys/resource.h>
#include <sys/types.h>

namespace hotspare::os {

/// What a process has, from the text of its statm.
MemoryInUse parse_statm(const char* text) noexcept;

/// Reads this process's memory again and again for the price of a fraction of memory_in_use(): the file stays open. Whoever
/// closes all descriptors closes this one, too, and opens something else under its number: that is noticed.
/// WARNING: one for each process. In a fork it would tell of the parent.
class MemoryGauge {
 public:
  MemoryGauge() noexcept = default;
  ~MemoryGauge();
  MemoryGauge(const MemoryGauge&) = delete;
  MemoryGauge& operator=(const MemoryGauge&) = delete;
  MemoryInUse read() noexcept;

 private:
  bool is_ours() const noexcept;

  int fd_ = -1;
  dev_t device_ = 0;
  ino_t inode_ = 0;
};

/// The soft limit on private writable memory (RLIMIT_DATA) of this process, while it is another one than usual.
class DataLimit {
 public:
  /// The hard limit is kept, and the soft one never more than that.
  void set(std::uint64_t bytes) noexcept;
  /// To what it was before set().
  void restore() noexcept;

 private:
  rlimit exchange(std::uint64_t soft) noexcept;

  rlimit usual_{RLIM_INFINITY, RLIM_INFINITY};  ///< As last seen; the hard one is what the next call begins with.
};

}  // namespace hotspare::os
