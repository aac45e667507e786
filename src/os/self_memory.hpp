#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <span>

namespace hotspare::os {

/// Copies memory of process `pid` (0: of this one) from `address` on, up to the first page that cannot be read;
/// returns the number of bytes copied. Never faults, whatever the address. Async-signal-safe; errno is kept.
/// Takes at most 1 MiB at once.
std::size_t copy_memory(pid_t pid, std::uint64_t address, std::span<std::byte> to) noexcept;

/// Reads the list of this process's mappings, piece by piece. Async-signal-safe; errno is kept.
class OwnMaps {
 public:
  OwnMaps() noexcept;
  ~OwnMaps();
  OwnMaps(const OwnMaps&) = delete;
  OwnMaps& operator=(const OwnMaps&) = delete;
  /// Bytes read; 0 at the end, or when there is no /proc.
  std::size_t read(char* to, std::size_t size) noexcept;

 private:
  int fd_;
};

/// Kernel id of the calling thread.
pid_t own_thread_id() noexcept;

}  // namespace hotspare::os
