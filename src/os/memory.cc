#include "os/memory.hpp"

#include "os/file_size_limit.hpp"
#include "os/process.hpp"

#include <array>
#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/statfs.h>
#include <unistd.h>

namespace hotspare::os {

Mapping::~Mapping() {
  if (data_ != nullptr) ::munmap(data_, size_);
}

Result<Mapping> Mapping::of(const Fd& fd, std::size_t size, Access access, OnFork on_fork) {
  return of_part(fd, 0, size, access, on_fork);
}

Result<Mapping> Mapping::of_part(const Fd& fd, std::size_t at, std::size_t size, Access access, OnFork on_fork) {
  const int protection = access == Access::read ? PROT_READ : PROT_READ | PROT_WRITE;
  const int sharing = access == Access::copy_on_write ? MAP_PRIVATE : MAP_SHARED;
  void* data = ::mmap(nullptr, size, protection, sharing, fd.get(), static_cast<off_t>(at));
  if (data == MAP_FAILED) return failed("mmap(" + std::to_string(size) + " bytes)");
  Mapping mapping(static_cast<std::byte*>(data), size);
  if (on_fork == OnFork::drop && ::madvise(data, size, MADV_DONTFORK) != 0) return failed("madvise(MADV_DONTFORK)");
  return mapping;
}

Result<Mapping> Mapping::again(OnFork on_fork) const {
  void* data = ::mremap(data_, 0, size_, MREMAP_MAYMOVE);
  if (data == MAP_FAILED) return failed("mremap(" + std::to_string(size_) + " bytes)");
  Mapping mapping(static_cast<std::byte*>(data), size_);
  const int advice = on_fork == OnFork::drop ? MADV_DONTFORK : MADV_DOFORK;
  if (::madvise(data, size_, advice) != 0) return failed("madvise(on fork)");
  return mapping;
}

Result<Mapping> Mapping::wiped_on_fork() {
  const std::size_t size = page_size();
  void* data = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (data == MAP_FAILED) return failed("mmap(one page)");
  Mapping mapping(static_cast<std::byte*>(data), size);
  if (::madvise(data, size, MADV_WIPEONFORK) != 0) return failed("madvise(MADV_WIPEONFORK)");
  return mapping;
}

namespace {

/// Of 0 blocks, a file system has no size of its own: the kernel's own tmpfs, from which memfds come, say.
bool has_room(const Fd& fd, std::size_t size) {
  struct statfs of {};
  return ::fstatfs(fd.get(), &of) != 0 || of.f_blocks == 0 ||
         size <= of.f_bavail * static_cast<std::size_t>(of.f_bsize);
}

/// The second way, where a filter refuses memfds. Such a file cannot be sealed.
Fd nameless_file(std::size_t size) {
  const char* const own = ::getenv("TMPDIR");
  for (const char* folder : {"/dev/shm", own != nullptr ? own : "/tmp", "/var/tmp"})
    if (Fd fd(::open(folder, O_TMPFILE | O_EXCL | O_RDWR | O_CLOEXEC, 0600)); fd && has_room(fd, size)) return fd;
  return {};
}

}  // namespace

Result<Fd> make_memfd(const char* label, std::size_t size, Room room) {
  Fd fd(::memfd_create(label, MFD_CLOEXEC | MFD_ALLOW_SEALING));
  const bool sealable = static_cast<bool>(fd);
  if (!fd && (errno == ENOSYS || errno == EPERM || errno == EACCES)) {
    const int refused = errno;
    fd = nameless_file(size);
    if (!fd)
      return Failure{refused, std::string("memfd_create(\"") + label + "\"), and no nameless file (O_TMPFILE) of " +
                                  std::to_string(size) + " bytes in /dev/shm, TMPDIR or /tmp, and /var/tmp"};
  }
  if (!fd) return failed(std::string("memfd_create(\"") + label + "\")");
  if (Status within = within_file_size_limit(size); !within) return within.failure();
  if (::ftruncate(fd.get(), static_cast<off_t>(size)) != 0)
    return failed("ftruncate(memfd, " + std::to_string(size) + ")");
  if (sealable && ::fcntl(fd.get(), F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) != 0)
    return failed("fcntl(F_ADD_SEALS)");
  if (room == Room::now)
    if (Status made = make_room(fd, size); !made) return made.failure();
  return fd;
}

void rewind_memory(int fd) noexcept {
  if (::fcntl(fd, F_GET_SEALS) >= 0) ::lseek(fd, 0, SEEK_SET);
}

namespace {

/// Unless it is sure that it does not, by the one word of its file.
bool kernel_allots_strictly() {
  std::array<char, 4> word{};
  read_small_file("/proc/sys/vm/overcommit_memory", word.data(), word.size());
  return word[0] != '0' && word[0] != '1';
}

/// The kernel's own tmpfs, from which memfds come, has none.
bool file_system_has_a_size(const Fd& fd) {
  struct statfs of {};
  return ::fstatfs(fd.get(), &of) != 0 || of.f_blocks != 0;
}

}  // namespace

Status make_room(const Fd& fd, std::size_t size) {
  if (size == 0 || (!kernel_allots_strictly() && !file_system_has_a_size(fd))) return Done{};
  const int refused = retry([&] { return ::fallocate(fd.get(), 0, 0, static_cast<off_t>(size)); });
  if (refused != 0 && errno != EOPNOTSUPP) return failed("fallocate(" + std::to_string(size) + " bytes)");
  return Done{};
}

void free_pages(std::span<std::byte> shared) noexcept {
  if (!shared.empty()) ::madvise(shared.data(), shared.size(), MADV_REMOVE);
}

namespace {

/// Linux 5.14; without it the pages come when they are touched.
void advise(std::span<const std::byte> bytes, int advice) noexcept {
  const auto start = reinterpret_cast<std::uintptr_t>(bytes.data()) / page_size() * page_size();
  const auto end = reinterpret_cast<std::uintptr_t>(bytes.data() + bytes.size());
  ::madvise(reinterpret_cast<void*>(start), end - start, advice);
}

}  // namespace

void populate(std::span<std::byte> bytes) noexcept { advise(bytes, MADV_POPULATE_WRITE); }
void populate_for_reading(std::span<const std::byte> bytes) noexcept { advise(bytes, MADV_POPULATE_READ); }

std::size_t page_size() noexcept {
  static const auto size = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  return size;
}

std::size_t physical_memory() noexcept { return static_cast<std::size_t>(::sysconf(_SC_PHYS_PAGES)) * page_size(); }

}  // namespace hotspare::os
