#pragma once

#include "os/fd.hpp"
#include "os/result.hpp"

#include <cstddef>
#include <span>
#include <utility>

namespace hotspare::os {

enum class Access : unsigned char {
  read,
  read_write,
  copy_on_write,  ///< Writable, but what is written stays in this mapping.
};
/// What happens to a mapping when its process forks.
enum class OnFork : unsigned char { inherit, drop };

/// Owns one mapping; unmaps it once.
class Mapping {
 public:
  Mapping() noexcept = default;
  Mapping(Mapping&& other) noexcept
      : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}
  Mapping& operator=(Mapping&& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
    return *this;
  }
  ~Mapping();

  static Result<Mapping> of(const Fd& fd, std::size_t size, Access access, OnFork on_fork = OnFork::inherit);
  /// A part of it, from a whole page on.
  static Result<Mapping> of_part(const Fd& fd, std::size_t at, std::size_t size, Access access, OnFork on_fork);
  /// A second one of the same shared memory, for which no descriptor is needed.
  Result<Mapping> again(OnFork on_fork) const;
  /// One private page that a fork of this process sees as zeros (MADV_WIPEONFORK).
  static Result<Mapping> wiped_on_fork();

  std::byte* data() const noexcept { return data_; }
  std::size_t size() const noexcept { return size_; }
  std::span<std::byte> bytes() const noexcept { return {data_, size_}; }
  template <class T>
  T* as() const noexcept {
    return reinterpret_cast<T*>(data_);
  }

 private:
  Mapping(std::byte* data, std::size_t size) noexcept : data_(data), size_(size) {}
  std::byte* data_ = nullptr;
  std::size_t size_ = 0;
};

/// Whether the kernel is made to promise all pages of a file at once, or each when it is touched. Where it may break its
/// word a touch is SIGBUS, so only a process that may die leaves it for later.
enum class Room : unsigned char { now, later };
/// Shared memory without a name: it goes with its last descriptor and mapping. Its size is sealed, so that
/// nobody can shrink it under a reader (SIGBUS). Beyond RLIMIT_FSIZE it is a failure (EFBIG), not SIGXFSZ.
Result<Fd> make_memfd(const char* label, std::size_t size, Room room = Room::now);
/// Makes sure that no touch of the file's first bytes can be refused: has the pages allocated, if the kernel allots memory
/// strictly (vm.overcommit_memory=2) or the file system has a size of its own.
Status make_room(const Fd& fd, std::size_t size);
/// Of a file in memory: who inherits the descriptor reads it from the beginning. Of anything else nothing changes.
void rewind_memory(int fd) noexcept;
/// Gives the pages back although others may still map them; they read zeros from then on.
void free_pages(std::span<std::byte> shared) noexcept;
/// Makes the pages be there, writable, before they are needed.
void populate(std::span<std::byte> bytes) noexcept;
/// The same for reading only.
void populate_for_reading(std::span<const std::byte> bytes) noexcept;
std::size_t page_size() noexcept;
std::size_t physical_memory() noexcept;

}  // namespace hotspare::os
