#pragma once

#include "journal/paths.hpp"
#include "journal/sha256.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <unordered_set>
#include <vector>

namespace hotspare::journal {

struct DigestHash {
  std::size_t operator()(const Digest& digest) const noexcept;
};

using Digests = std::unordered_set<Digest, DigestHash>;

/// A large value as its record names it: 40 bytes in place of the value's own.
struct FileName {
  Digest hash{};  ///< Of the bytes, and the file's name.
  std::uint64_t size = 0;

  static constexpr std::size_t bytes = 40;
  std::vector<std::byte> written() const;
  static std::optional<FileName> read(std::span<const std::byte> body);
};

/// Values too large for the database, each in a file beside the journal that is named by the hash of what is in it. A file
/// has its name only when it is whole.
class ValueFiles {
 public:
  /// power: on the disk before a record names it.
  ValueFiles(const Paths& paths, bool power) : paths_(paths), power_(power) {}

  FileName put(std::span<const std::byte> bytes);
  /// Nothing if the file is not there or not as it was written.
  std::optional<std::vector<std::byte>> get(const FileName& name) const;
  /// It is there and has that size; its bytes are looked at when they are read.
  bool has(const FileName& name) const;
  /// Names written since the last call are on the disk.
  void sync_names();
  /// Removes what no record names: a process was killed between the file and its record.
  void sweep(const Digests& named) const;

 private:
  void keep(const FileName& name);
  std::string path_of(const Digest& hash) const { return paths_.values + "/" + hex(hash); }
  const Paths& paths_;
  bool power_;
  bool unsynced_ = false;
};

}  // namespace hotspare::journal
