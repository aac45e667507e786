#include "os/shared_file.hpp"

#include "os/file_size_limit.hpp"

#include <array>
#include <cstdio>
#include <dirent.h>
#include <fcntl.h>
#include <memory>
#include <sys/stat.h>
#include <unistd.h>

namespace hotspare::os {
namespace {

std::string own_link(const Fd& fd) { return "/proc/self/fd/" + std::to_string(fd.get()); }

/// One byte stands for the whole file, far behind all data.
struct flock byte_of_use(int type) {
  struct flock lock {};
  lock.l_type = static_cast<short>(type);
  lock.l_whence = SEEK_SET;
  lock.l_start = off_t{1} << 62;
  lock.l_len = 1;
  return lock;
}

Result<bool> lock(const Fd& fd, int type) {
  struct flock wish = byte_of_use(type);
  if (retry([&] { return ::fcntl(fd.get(), F_OFD_SETLK, &wish); }) == 0) return true;
  if (errno == EAGAIN || errno == EACCES) return false;
  return failed("fcntl(F_OFD_SETLK)");
}

}  // namespace

Result<Fd> make_nameless_file(const std::string& folder) {
  Fd fd(retry([&] { return ::open(folder.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600); }));
  if (!fd) return failed("open(\"" + folder + "\", O_TMPFILE)");
  // Whatever the umask: who made it and may not read it again has lost it.
  if (::fchmod(fd.get(), 0600) != 0) return failed("fchmod()");
  return fd;
}

Status name_file(const Fd& fd, const std::string& path) {
  if (::linkat(AT_FDCWD, own_link(fd).c_str(), AT_FDCWD, path.c_str(), AT_SYMLINK_FOLLOW) != 0)
    return failed("linkat(\"" + path + "\")");
  return Done{};
}

Result<Fd> open_shared_file(const std::string& path, Access access) {
  const int flags = (access == Access::read ? O_RDONLY : O_RDWR) | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY;
  Fd fd(retry([&] { return ::open(path.c_str(), flags); }));
  if (!fd) return failed("open(\"" + path + "\")");
  return fd;
}

Result<Fd> open_again(const Fd& fd) {
  Fd again(retry([&] { return ::open(own_link(fd).c_str(), O_RDWR | O_CLOEXEC); }));
  if (!again) return failed("open(\"" + own_link(fd) + "\")");
  return again;
}

std::string path_of(const Fd& fd) {
  std::array<char, 4096> text;
  const ssize_t got = ::readlink(own_link(fd).c_str(), text.data(), text.size());
  return got > 0 ? std::string(text.data(), static_cast<std::size_t>(got)) : std::string();
}

Status rename_if_free(const std::string& from, const std::string& to) {
  if (::renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), RENAME_NOREPLACE) != 0)
    return failed("renameat2(\"" + from + "\", \"" + to + "\", RENAME_NOREPLACE)");
  return Done{};
}

Status set_length(const Fd& fd, std::uint64_t bytes) {
  if (Status within = within_file_size_limit(bytes); !within) return within;
  if (retry([&] { return ::ftruncate(fd.get(), static_cast<off_t>(bytes)); }) != 0)
    return failed("ftruncate(" + std::to_string(bytes) + " bytes)");
  return Done{};
}

Status reserve(const Fd& fd, std::uint64_t from, std::uint64_t bytes) {
  if (bytes == 0) return Done{};
  if (Status within = within_file_size_limit(from + bytes); !within) return within;
  if (retry([&] { return ::fallocate(fd.get(), 0, static_cast<off_t>(from), static_cast<off_t>(bytes)); }) != 0)
    return failed("fallocate(" + std::to_string(bytes) + " bytes)");
  return Done{};
}

Status give_back(const Fd& fd, std::uint64_t from, std::uint64_t bytes) {
  if (bytes == 0) return Done{};
  constexpr int mode = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE;
  if (retry([&] { return ::fallocate(fd.get(), mode, static_cast<off_t>(from), static_cast<off_t>(bytes)); }) != 0)
    return failed("fallocate(FALLOC_FL_PUNCH_HOLE, " + std::to_string(bytes) + " bytes)");
  return Done{};
}

Result<bool> lock_shared(const Fd& fd) { return lock(fd, F_RDLCK); }
Result<bool> lock_alone(const Fd& fd) { return lock(fd, F_WRLCK); }

Result<Locked> locked_by_others(const Fd& fd) {
  struct flock found = byte_of_use(F_WRLCK);
  if (retry([&] { return ::fcntl(fd.get(), F_OFD_GETLK, &found); }) != 0) return failed("fcntl(F_OFD_GETLK)");
  if (found.l_type == F_UNLCK) return Locked::no;
  return found.l_type == F_RDLCK ? Locked::shared : Locked::alone;
}

Result<std::vector<std::string>> names_in(const std::string& folder) {
  const std::unique_ptr<DIR, int (*)(DIR*)> open(::opendir(folder.c_str()), ::closedir);
  if (open == nullptr) return failed("opendir(\"" + folder + "\")");
  std::vector<std::string> names;
  while (const dirent* entry = ::readdir(open.get())) {
    std::string name = entry->d_name;
    if (name != "." && name != "..") names.push_back(std::move(name));
  }
  return names;
}

}  // namespace hotspare::os
