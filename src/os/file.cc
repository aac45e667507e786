#include "os/file.hpp"

#include <array>
#include <cstdio>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

namespace hotspare::os {
namespace {

std::string quoted(const char* call, const std::string& path) { return std::string(call) + "(\"" + path + "\")"; }

FileFacts facts_of(const struct stat& about) {
  const std::int64_t changed_ns = std::int64_t{about.st_mtim.tv_sec} * 1'000'000'000 + about.st_mtim.tv_nsec;
  return {true,         S_ISREG(about.st_mode), static_cast<std::uint64_t>(about.st_size),
          about.st_dev, about.st_ino,           changed_ns,
          about.st_uid};
}

Result<Fd> open_file(const std::string& path, int flags) {
  Fd fd(retry([&] { return ::open(path.c_str(), flags | O_CLOEXEC | O_NOCTTY, 0666); }));
  if (!fd) return failed(quoted("open", path));
  return fd;
}

Status sync(const Fd& fd, const std::string& what) {
  if (retry([&] { return ::fsync(fd.get()); }) != 0) return failed(what);
  return Done{};
}

}  // namespace

Result<FileFacts> file_facts(const std::string& path) {
  struct stat about {};
  if (::stat(path.c_str(), &about) == 0) return facts_of(about);
  if (errno == ENOENT) return FileFacts{};
  return failed(quoted("stat", path));
}

Result<FileFacts> file_facts(const Fd& fd) {
  struct stat about {};
  if (::fstat(fd.get(), &about) != 0) return failed("fstat()");
  return facts_of(about);
}

Result<Fd> open_or_create(const std::string& path) {
  return open_file(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK);
}
Result<Fd> open_for_reading(const std::string& path) { return open_file(path, O_RDONLY); }
Result<Fd> create_empty(const std::string& path) { return open_file(path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW); }

Result<std::optional<std::uint32_t>> link_owner(const std::string& path) {
  using Owner = std::optional<std::uint32_t>;
  struct stat about {};
  if (::lstat(path.c_str(), &about) == 0) return S_ISLNK(about.st_mode) ? Owner(about.st_uid) : Owner();
  if (errno == ENOENT) return Owner();
  return failed(quoted("lstat", path));
}

std::uint32_t own_user() noexcept { return ::geteuid(); }

Status create_folder(const std::string& path) {
  if (::mkdir(path.c_str(), 0777) != 0 && errno != EEXIST) return failed(quoted("mkdir", path));
  return Done{};
}

Result<std::size_t> read_at(const Fd& fd, std::uint64_t offset, std::span<std::byte> to) {
  std::size_t done = 0;
  while (done < to.size()) {
    const auto got =
        retry([&] { return ::pread(fd.get(), to.data() + done, to.size() - done, static_cast<off_t>(offset + done)); });
    if (got < 0) return failed("pread(" + std::to_string(to.size() - done) + " bytes)");
    if (got == 0) break;
    done += static_cast<std::size_t>(got);
  }
  return done;
}

Status write_at(const Fd& fd, std::uint64_t offset, std::span<const std::byte> from) {
  std::size_t done = 0;
  while (done < from.size()) {
    const auto put = retry(
        [&] { return ::pwrite(fd.get(), from.data() + done, from.size() - done, static_cast<off_t>(offset + done)); });
    if (put < 0) return failed("pwrite(" + std::to_string(from.size() - done) + " bytes)");
    done += static_cast<std::size_t>(put);
  }
  return Done{};
}

Result<std::vector<std::byte>> read_whole(const std::string& path) {
  Result<Fd> fd = open_for_reading(path);
  if (!fd) return fd.failure();
  Result<FileFacts> facts = file_facts(*fd);
  if (!facts) return facts.failure();
  std::vector<std::byte> bytes(facts->size);
  Result<std::size_t> got = read_at(*fd, 0, bytes);
  if (!got) return got.failure();
  bytes.resize(*got);
  return bytes;
}

Status sync_file(const Fd& fd) { return sync(fd, "fsync()"); }

Status sync_folder(const std::string& path) {
  Result<Fd> folder = open_file(path, O_RDONLY | O_DIRECTORY);
  if (!folder) return folder.failure();
  return sync(*folder, quoted("fsync", path));
}

Status rename_file(const std::string& from, const std::string& to) {
  if (::rename(from.c_str(), to.c_str()) != 0) return failed("rename(\"" + from + "\", \"" + to + "\")");
  return Done{};
}

Status remove_file(const std::string& path) {
  if (::unlink(path.c_str()) != 0 && errno != ENOENT) return failed(quoted("unlink", path));
  return Done{};
}

Status link_file(const std::string& from, const std::string& to) {
  if (::link(from.c_str(), to.c_str()) != 0) return failed("link(\"" + from + "\", \"" + to + "\")");
  return Done{};
}

Result<bool> lock_exclusively(const Fd& fd) {
  if (retry([&] { return ::flock(fd.get(), LOCK_EX | LOCK_NB); }) == 0) return true;
  if (errno == EWOULDBLOCK) return false;
  return failed("flock()");
}

Result<std::uint64_t> file_system_type(const std::string& path) {
  struct statfs about {};
  if (retry([&] { return ::statfs(path.c_str(), &about); }) != 0) return failed(quoted("statfs", path));
  // Some of the numbers have their highest bit set, and the field is signed.
  return static_cast<std::uint32_t>(about.f_type);
}

std::string network_file_system(std::uint64_t type) {
  struct Known {
    std::uint64_t type;
    const char* name;
  };
  // From statfs(2) and linux/magic.h.
  static constexpr std::array known{
      Known{0x6969, "NFS"},      Known{0x517b, "SMB"},        Known{0xff534d42, "CIFS"}, Known{0xfe534d42, "SMB2"},
      Known{0x01021997, "9P"},   Known{0x5346414f, "AFS"},    Known{0x6b414653, "AFS"},  Known{0x73757245, "Coda"},
      Known{0x00c36400, "Ceph"}, Known{0x0bd00bd0, "Lustre"}, Known{0x01161970, "GFS2"}, Known{0x7461636f, "OCFS2"},
      Known{0x564c, "NCP"},      Known{0x19830326, "BeeGFS"}, Known{0x47504653, "GPFS"}, Known{0x65735546, "FUSE"},
  };
  for (const Known& each : known) {
    if (each.type == type) return each.name;
  }
  return {};
}

std::string host_name() {
  std::array<char, 256> name{};
  if (::gethostname(name.data(), name.size() - 1) != 0) return {};
  return name.data();
}

}  // namespace hotspare::os
