#pragma once

#include "journal/sha256.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace hotspare::journal {

/// How the task ended whose record it is. Numbers are those in the file.
enum class Kind : std::uint8_t { value = 1, raised = 2, died = 3, timeout = 4, memory = 5 };
inline constexpr std::int64_t highest_kind = 5;

/// How its bytes are to be read; bits in the file.
struct Form {
  bool packed = false;   ///< The bytes of Buffers follow those of the value (packed.hpp).
  bool in_file = false;  ///< They are in a file of their own, which the record names by its hash (value_files.hpp).
  std::int64_t bits() const { return (packed ? 1 : 0) | (in_file ? 2 : 0); }
  static constexpr std::int64_t highest = 3;
  static Form of(std::int64_t bits) { return {(bits & 1) != 0, (bits & 2) != 0}; }
};

/// One outcome. Records are never changed: a newer one of the same key counts.
struct Record {
  std::int64_t number = 0;  ///< 1, 2, 3 …, without a gap.
  Digest key{};             ///< What was asked.
  Kind kind{};
  Form form;
  std::span<const std::byte> body;
};

/// Over all of it, so that a record which was changed, exchanged or moved is known as such.
Digest checksum(Sha256& sha, const Record& record);

/// A record as it came from somewhere; nothing of it is believed.
struct RawRecord {
  std::int64_t number = 0;
  std::span<const std::byte> key;
  std::int64_t kind = 0;
  std::int64_t form = 0;
  std::span<const std::byte> body;
  std::span<const std::byte> sum;
};
/// Nothing if it is not whole.
std::optional<Record> verified(Sha256& sha, const RawRecord& raw);

}  // namespace hotspare::journal
