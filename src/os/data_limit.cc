#include "os/data_limit.hpp"

#include "os/result.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace hotspare::os {

MemoryInUse parse_statm(const char* text) noexcept {
  // size resident shared text lib data dt, in pages; "data" is what RLIMIT_DATA counts, and the stack.
  std::array<std::uint64_t, 6> pages{};
  for (std::uint64_t& field : pages) {
    for (; *text >= '0' && *text <= '9'; ++text) field = field * 10 + static_cast<std::uint64_t>(*text - '0');
    if (*text == ' ') ++text;
  }
  constexpr std::uint64_t page = 4096;
  return {pages[5] * page, (pages[1] - std::min(pages[1], pages[2])) * page, pages[2] * page};
}

MemoryGauge::~MemoryGauge() {
  if (is_ours()) ::close(fd_);
}

bool MemoryGauge::is_ours() const noexcept {
  struct stat now {};
  return fd_ >= 0 && ::fstat(fd_, &now) == 0 && now.st_dev == device_ && now.st_ino == inode_;
}

MemoryInUse MemoryGauge::read() noexcept {
  if (!is_ours()) {
    fd_ = ::open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
    struct stat now {};
    if (fd_ < 0 || ::fstat(fd_, &now) != 0) return {};
    device_ = now.st_dev;
    inode_ = now.st_ino;
  }
  std::array<char, 256> text;
  const ssize_t size = retry([&] { return ::pread(fd_, text.data(), text.size() - 1, 0); });
  if (size <= 0) return {};
  text[static_cast<std::size_t>(size)] = '\0';
  return parse_statm(text.data());
}

/// Sets it, and says what it was. As a rule nobody has touched the hard limit since, so one call is enough.
rlimit DataLimit::exchange(std::uint64_t soft) noexcept {
  rlimit before = usual_;
  rlimit wanted{std::min<rlim_t>(soft, usual_.rlim_max), usual_.rlim_max};
  const bool set = ::prlimit(0, RLIMIT_DATA, &wanted, &before) == 0;
  if (set && before.rlim_max == usual_.rlim_max) return before;
  // The task has lowered it, say, and a process with rights has just had it raised again.
  if (!set) ::getrlimit(RLIMIT_DATA, &before);
  wanted = {std::min<rlim_t>(soft, before.rlim_max), before.rlim_max};
  ::setrlimit(RLIMIT_DATA, &wanted);
  return before;
}

void DataLimit::set(std::uint64_t bytes) noexcept { usual_ = exchange(bytes); }
void DataLimit::restore() noexcept { usual_.rlim_max = exchange(usual_.rlim_cur).rlim_max; }

}  // namespace hotspare::os
