#include "output_file.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <string>
#include <system_error>
#include <utility>

namespace hotspare::audio {

namespace {

constexpr mode_t mode = 0666;  // less the umask

std::filesystem::path folder_of(const std::filesystem::path& path) {
  return path.has_parent_path() ? path.parent_path() : ".";
}

bool is_special(const std::filesystem::path& path) {
  std::error_code error;
  const auto status = std::filesystem::status(path, error);
  return std::filesystem::exists(status) && !std::filesystem::is_regular_file(status);
}

/// Where it leads to, also if nothing is there yet.
std::filesystem::path followed(std::filesystem::path path) {
  constexpr int most_links = 40;  // as the kernel has it
  for (int links = 0; std::filesystem::is_symlink(std::filesystem::symlink_status(path)); ++links) {
    if (links == most_links)
      throw std::filesystem::filesystem_error("open", path, std::error_code(ELOOP, std::generic_category()));
    path = folder_of(path) / std::filesystem::read_symlink(path);
  }
  return path;
}

}  // namespace

OutputFile::OutputFile(std::filesystem::path path) : path_(followed(std::move(path))) {
  open();
  if (descriptor_ < 0)
    throw std::filesystem::filesystem_error("open", path_, std::error_code(errno, std::generic_category()));
}

void OutputFile::open() {
  if (path_ == "-") {
    descriptor_ = ::fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
    return;
  }
  if (is_special(path_)) {
    descriptor_ = ::open(path_.c_str(), O_WRONLY | O_CLOEXEC);
    return;
  }
  descriptor_ = ::open(folder_of(path_).c_str(), O_TMPFILE | O_WRONLY | O_CLOEXEC, mode);
  nameless_ = descriptor_ >= 0;
  if (nameless_) return;
  unfinished_ = path_;
  unfinished_ += ".unfinished";
  descriptor_ = ::open(unfinished_.c_str(), O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, mode);
}

OutputFile::~OutputFile() {
  close(descriptor_);
  std::error_code ignored;
  if (!unfinished_.empty()) std::filesystem::remove(unfinished_, ignored);
}

void OutputFile::publish() {
  if (nameless_) {
    // A link replaces nothing, a rename does: so it gets a name beside its own first.
    unfinished_ = path_;
    unfinished_ += ".unfinished." + std::to_string(getpid());
    const std::string self = "/proc/self/fd/" + std::to_string(descriptor_);
    if (linkat(AT_FDCWD, self.c_str(), AT_FDCWD, unfinished_.c_str(), AT_SYMLINK_FOLLOW) != 0)
      throw std::filesystem::filesystem_error("linkat", path_, std::error_code(errno, std::generic_category()));
    nameless_ = false;
  }
  if (unfinished_.empty()) return;
  std::filesystem::rename(unfinished_, path_);
  unfinished_.clear();
}

}  // namespace hotspare::audio
