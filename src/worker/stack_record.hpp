#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <type_traits>

namespace hotspare::worker {

/// What a crashing thread leaves behind: registers, a piece of its stack, and where code is mapped. It lies in memory
/// shared with the host, which unwinds it when somebody asks; the crasher itself unwinds nothing, for its heap and its
/// locks may be what broke.
///
/// All zero is a valid, empty record, so a fresh memfd needs no construction. Nor does it cost memory: its pages appear
/// when they are first written, that is in the death of a worker.
///
/// WARNING: to the host every byte in here is hostile. Only death::from_record() may read it.
struct StackRecord {
  /// Enough for some hundred frames of common code. Deep recursion is recognized by its innermost frames anyway.
  static constexpr std::size_t kStackSize = 64 * 1024;
  /// Only the lines of executable mappings, about 100 bytes each: numpy makes about 60 of them, PyTorch about 150.
  static constexpr std::size_t kMapsSize = 48 * 1024;
  /// Room to read the map piecewise; a longest path (4096 bytes) and its numbers fit. Here and not on the
  /// stack, because an alternate signal stack is small.
  static constexpr std::size_t kScratchSize = 8 * 1024;
  static constexpr std::uint32_t kComplete = 0x5b1c0de5;

  /// kComplete, written last. SYNC POINT stack-record: released by capture_here(), acquired by from_record().
  std::atomic<std::uint32_t> complete;
  std::atomic<std::uint32_t> claimed;  ///< 1 once a thread writes; when two crash at once, the first one has it.
  std::int32_t thread_id;              ///< Kernel id of the thread.
  std::uint32_t register_count;
  std::uint64_t registers[34];  ///< In DWARF's numbering.
  std::uint64_t pc;
  std::uint64_t sp;
  std::uint64_t stack_low;    ///< First writable mapping that ends above sp: the stack, also when it
  std::uint64_t stack_high;   ///< overflowed. [low, high), both 0 if unknown.
  std::uint64_t stack_start;  ///< Address of stack[0] in the crasher.
  std::uint32_t stack_size;   ///< Bytes of `stack` that are filled.
  std::uint32_t maps_size;    ///< Bytes of `maps` that are filled, whole lines.
  std::byte stack[kStackSize];
  char maps[kMapsSize];
  char scratch[kScratchSize];
};

static_assert(std::is_standard_layout_v<StackRecord> && std::is_trivially_destructible_v<StackRecord>);
static_assert(std::atomic<std::uint32_t>::is_always_lock_free);

}  // namespace hotspare::worker
