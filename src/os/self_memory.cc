#include "os/self_memory.hpp"

#include "os/result.hpp"

#include <fcntl.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>

namespace hotspare::os {
namespace {

// The smallest page of any kernel. Finer than the kernel's own pages does no harm.
constexpr std::uint64_t kPage = 4096;
constexpr std::size_t kPagesAtOnce = 16;

/// A signal handler must leave errno as it found it.
class KeepErrno {
 public:
  KeepErrno() noexcept : kept_(errno) {}
  ~KeepErrno() { errno = kept_; }
  KeepErrno(const KeepErrno&) = delete;
  KeepErrno& operator=(const KeepErrno&) = delete;

 private:
  int kept_;
};

/// One vector element per page: the kernel gives up at an element it cannot read whole, and keeps those before it.
std::size_t copy_pages(pid_t pid, std::uint64_t address, std::span<std::byte> to) noexcept {
  iovec remote[kPagesAtOnce];
  std::size_t pages = 0;
  std::size_t size = 0;
  while (pages < kPagesAtOnce && size < to.size() && address + size >= address) {
    const std::size_t piece = std::min<std::size_t>(kPage - (address + size) % kPage, to.size() - size);
    remote[pages++] = {reinterpret_cast<void*>(address + size), piece};
    size += piece;
  }
  const iovec local{to.data(), size};
  const ssize_t copied = ::process_vm_readv(pid, &local, 1, remote, pages, 0);
  return copied < 0 ? 0 : static_cast<std::size_t>(copied);
}

/// A second way, where a filter forbids that call: for whoever may trace the process.
std::size_t copy_by_file(pid_t pid, std::uint64_t address, std::span<std::byte> to) noexcept {
  char path[32];
  std::snprintf(path, sizeof path, "/proc/%d/mem", pid);
  const int fd = ::open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return 0;
  const ssize_t copied = retry([&] { return ::pread(fd, to.data(), to.size(), static_cast<off_t>(address)); });
  ::close(fd);
  return copied < 0 ? 0 : static_cast<std::size_t>(copied);
}

}  // namespace

std::size_t copy_memory(pid_t pid, std::uint64_t address, std::span<std::byte> to) noexcept {
  const KeepErrno keep;
  if (pid == 0) pid = ::getpid();
  to = to.first(std::min<std::size_t>(to.size(), std::size_t{1} << 20));
  std::size_t done = 0;
  while (done < to.size()) {
    const std::size_t copied = copy_pages(pid, address + done, to.subspan(done));
    if (copied == 0) break;
    done += copied;
  }
  if (done == 0 && !to.empty() && (errno == ENOSYS || errno == EPERM)) return copy_by_file(pid, address, to);
  return done;
}

// Of the thread, not of the process: those of the process are empty once its main thread has ended.
OwnMaps::OwnMaps() noexcept {
  const KeepErrno keep;
  fd_ = retry([] { return ::open("/proc/thread-self/maps", O_RDONLY | O_CLOEXEC); });
}

OwnMaps::~OwnMaps() {
  const KeepErrno keep;
  if (fd_ >= 0) ::close(fd_);
}

std::size_t OwnMaps::read(char* to, std::size_t size) noexcept {
  const KeepErrno keep;
  if (fd_ < 0) return 0;
  const ssize_t count = retry([&] { return ::read(fd_, to, size); });
  return count < 0 ? 0 : static_cast<std::size_t>(count);
}

pid_t own_thread_id() noexcept { return static_cast<pid_t>(::syscall(SYS_gettid)); }

}  // namespace hotspare::os
