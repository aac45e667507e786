#include "os/files_in_use.hpp"

#include "os/process_identity.hpp"
#include "os/shared_file.hpp"

#include <cerrno>
#include <cstdio>
#include <fcntl.h>
#include <fstream>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

namespace hotspare::os {
namespace {

bool is_kernel_thread_or_gone(pid_t pid) {
  // exe: ENOENT for a kernel thread, a zombie and one that is gone; they have no memory.
  char byte = 0;
  return ::readlinkat(AT_FDCWD, ("/proc/" + std::to_string(pid) + "/exe").c_str(), &byte, 1) < 0 && errno == ENOENT;
}

bool look_at_mappings(pid_t pid, std::uint64_t device, FilesInUse& found) {
  std::ifstream maps("/proc/" + std::to_string(pid) + "/maps");
  if (!maps) return false;
  for (std::string line; std::getline(maps, line);) {
    const std::optional<FileId> file = file_of_mapping(line);
    if (file && file->device == device) found.mapped[*file].insert(pid);
  }
  return true;
}

bool look_at_descriptors(pid_t pid, std::uint64_t device, FilesInUse& found) {
  const std::string folder = "/proc/" + std::to_string(pid) + "/fd";
  Result<std::vector<std::string>> numbers = names_in(folder);
  if (!numbers) return false;
  for (const std::string& number : *numbers) {
    struct statx about {};
    // WARNING: not stat: the file may be on a server that does not answer, and this would hang with it.
    if (::statx(AT_FDCWD, (folder + "/" + number).c_str(), AT_STATX_DONT_SYNC, STATX_INO, &about) != 0) continue;
    const FileId file{makedev(about.stx_dev_major, about.stx_dev_minor), about.stx_ino};
    if (file.device == device) found.open[file].insert(pid);
  }
  return true;
}

}  // namespace

std::optional<FileId> file_of_mapping(const std::string& line) {
  unsigned device_major = 0;
  unsigned device_minor = 0;
  unsigned long long inode = 0;
  if (std::sscanf(line.c_str(), "%*[^ ] %*[^ ] %*[^ ] %x:%x %llu", &device_major, &device_minor, &inode) != 3 ||
      inode == 0)
    return std::nullopt;
  return FileId{makedev(device_major, device_minor), inode};
}

FilesInUse files_in_use(std::uint64_t device) {
  FilesInUse found;
  for (const pid_t pid : all_processes()) {
    const bool seen = look_at_mappings(pid, device, found) && look_at_descriptors(pid, device, found);
    if (!seen && !is_kernel_thread_or_gone(pid)) found.unseen.insert(pid);
  }
  return found;
}

}  // namespace hotspare::os
