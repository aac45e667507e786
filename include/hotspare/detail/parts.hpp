#pragma once

#include <hotspare/error.hpp>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

/// The results of a task that has many, one behind the other: what is finished outlives the worker.
///
/// Each: u32 head, then its bytes. Bits 0 to 29 of the head: their number; bit 30: they are an exception's; bit 31: bits 0
/// to 29 count attachments instead, and u64 size and u64 × n segment ids follow before the bytes.
namespace hotspare::detail {

struct PartHead {
  static constexpr std::uint32_t raised_bit = 1U << 30;
  static constexpr std::uint32_t long_bit = 1U << 31;
  static constexpr std::uint32_t low_bits = raised_bit - 1;
};

struct Part {
  std::span<const std::byte> bytes;
  std::span<const std::byte> attachments;  ///< Segment ids, 8 bytes each.
  bool raised = false;
};

/// Reads parts that somebody else wrote. Throws PayloadError where they make no sense, and is at the end then.
class PartsReader {
 public:
  explicit PartsReader(std::span<const std::byte> bytes) : bytes_(bytes) {}
  bool at_end() const { return bytes_.empty(); }
  Part next() {
    std::uint32_t head = 0;
    std::memcpy(&head, take(sizeof head).data(), sizeof head);
    Part part;
    part.raised = (head & PartHead::raised_bit) != 0;
    std::uint64_t size = head & PartHead::low_bits;
    if ((head & PartHead::long_bit) != 0) {
      const std::uint64_t attachments = size;
      std::memcpy(&size, take(sizeof size).data(), sizeof size);
      part.attachments = take(attachments * sizeof(std::uint64_t));
    }
    part.bytes = take(size);
    return part;
  }

 private:
  std::span<const std::byte> take(std::uint64_t size) {
    if (size > bytes_.size()) {
      bytes_ = {};  // where the next one would begin nobody knows
      throw PayloadError("a task's results are damaged: one of them is longer than all");
    }
    const auto taken = bytes_.first(static_cast<std::size_t>(size));
    bytes_ = bytes_.subspan(static_cast<std::size_t>(size));
    return taken;
  }
  std::span<const std::byte> bytes_;
};

}  // namespace hotspare::detail
