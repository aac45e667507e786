#pragma once

#include "support/gate.hpp"

#include <sys/mman.h>

#include <atomic>
#include <cstddef>
#include <string>

namespace hotspare::testing {

/// Counts, in a file that all processes map, how often each task was really run: what the pool says about that is one
/// thing, what happened another.
class Ledger {
 public:
  explicit Ledger(std::size_t tasks) : path_("ledger"), size_(tasks * sizeof(Count)) {
    const int fd = ::open(path_.str().c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    EXPECT_EQ(::ftruncate(fd, static_cast<off_t>(size_)), 0);
    counts_ = map(fd, size_);
    ::close(fd);
  }
  ~Ledger() { ::munmap(counts_, size_); }
  Ledger(const Ledger&) = delete;
  Ledger& operator=(const Ledger&) = delete;

  const std::string& path() const { return path_.str(); }
  int runs(std::size_t task) const { return counts_[task].load(); }

  /// In the task: it runs. Returns how often that has been noted, this time included.
  static int note(const std::string& path, std::size_t task) {
    const int fd = ::open(path.c_str(), O_RDWR | O_CLOEXEC);
    struct stat about {};
    ::fstat(fd, &about);
    const auto size = static_cast<std::size_t>(about.st_size);
    Count* counts = map(fd, size);
    ::close(fd);
    const int before = counts[task].fetch_add(1);
    ::munmap(counts, size);
    return before + 1;
  }

 private:
  using Count = std::atomic<int>;
  static Count* map(int fd, std::size_t size) {
    void* at = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    EXPECT_NE(at, MAP_FAILED);
    return static_cast<Count*>(at);
  }
  TemporaryPath path_;
  std::size_t size_;
  Count* counts_ = nullptr;
};

}  // namespace hotspare::testing
