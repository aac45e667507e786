#include "progress.hpp"

#include <unistd.h>

#include <cstdio>
#include <utility>

namespace transit {

Progress::Progress(std::string label, std::uint64_t total)
    : label_(std::move(label)), total_(total), terminal_(isatty(STDERR_FILENO) == 1) {}

Progress::~Progress() {
  if (terminal_) std::fputs("\r\x1b[K", stderr);
}

void Progress::show(std::uint64_t done, std::uint64_t deaths) {
  const std::uint64_t tenths = total_ == 0 ? 10 : done * 10 / total_;
  if (!terminal_ && tenths == tenths_shown_) return;
  tenths_shown_ = tenths;
  std::fprintf(stderr, "%s%s: %llu of %llu bands, %llu deaths%s", terminal_ ? "\r\x1b[K" : "", label_.c_str(),
               static_cast<unsigned long long>(done), static_cast<unsigned long long>(total_),
               static_cast<unsigned long long>(deaths), terminal_ ? "" : "\n");
}

}  // namespace transit
