#include "worker/stack_capture.hpp"

#include "os/registers.hpp"
#include "os/self_memory.hpp"

#include <algorithm>
#include <cstring>

namespace hotspare::worker {
namespace {

/// x86_64 lets a function use 128 bytes below sp without saying so; harmless elsewhere.
constexpr std::uint64_t kRedZone = 128;

// Hand-made: from_chars is safe in a handler in practice, but nothing promises it.
bool read_hex(const char*& at, const char* end, std::uint64_t& value) noexcept {
  const char* const begin = at;
  for (value = 0; at != end; ++at) {
    const char c = *at;
    if (c >= '0' && c <= '9') {
      value = value * 16 + static_cast<std::uint64_t>(c - '0');
    } else if (c >= 'a' && c <= 'f') {
      value = value * 16 + static_cast<std::uint64_t>(c - 'a' + 10);
    } else {
      break;
    }
  }
  return at != begin;
}

/// "7f00-7f80 r-xp ..." Keeps what is executable; remembers where the stack is.
void take_line(const char* line, std::size_t size, StackRecord& record) noexcept {
  const char* at = line;
  const char* const end = line + size;
  std::uint64_t low = 0;
  std::uint64_t high = 0;
  if (!read_hex(at, end, low) || at == end || *at++ != '-') return;
  if (!read_hex(at, end, high) || end - at < 5) return;
  const bool writable = at[2] == 'w';
  const bool executable = at[3] == 'x';
  if (writable && record.stack_high == 0 && high > record.sp) {
    record.stack_low = low;
    record.stack_high = high;
  }
  if (executable && size <= StackRecord::kMapsSize - record.maps_size) {
    std::memcpy(record.maps + record.maps_size, line, size);
    record.maps_size += static_cast<std::uint32_t>(size);
  }
}

void take_maps(StackRecord& record) noexcept {
  os::OwnMaps maps;
  std::size_t used = 0;
  while (const std::size_t got = maps.read(record.scratch + used, StackRecord::kScratchSize - used)) {
    used += got;
    std::size_t done = 0;
    while (const void* newline = std::memchr(record.scratch + done, '\n', used - done)) {
      const auto after = static_cast<std::size_t>(static_cast<const char*>(newline) - record.scratch) + 1;
      take_line(record.scratch + done, after - done, record);
      done = after;
    }
    if (done == 0 && used == StackRecord::kScratchSize) return;  // no kernel writes such a line
    std::memmove(record.scratch, record.scratch + done, used - done);
    used -= done;
  }
}

void take_stack(StackRecord& record) noexcept {
  std::uint64_t start = record.sp - std::min(record.sp, kRedZone);
  // After an overflow sp lies outside the stack: what can be read begins with the stack itself.
  if (start < record.stack_low) start = record.stack_low;
  record.stack_start = start;
  record.stack_size = static_cast<std::uint32_t>(os::copy_memory(0, start, record.stack));
  if (record.stack_size == 0 && start >= record.stack_low && start < record.stack_high) {
    // A seccomp filter may forbid the call. The kernel has just told that these pages are mapped.
    const std::uint64_t size = std::min<std::uint64_t>(record.stack_high - start, StackRecord::kStackSize);
    std::memcpy(record.stack, reinterpret_cast<const void*>(start), size);
    record.stack_size = static_cast<std::uint32_t>(size);
  }
}

}  // namespace

void capture_here(const ucontext_t* context, StackRecord& record) noexcept {
  if (record.claimed.exchange(1, std::memory_order_relaxed) != 0) return;
  const os::Registers registers = os::registers_of(*context);
  std::memcpy(record.registers, registers.values.data(), sizeof record.registers);
  record.register_count = registers.count;
  record.pc = registers.pc;
  record.sp = registers.sp;
  record.thread_id = os::own_thread_id();
  record.stack_low = record.stack_high = 0;
  record.stack_size = record.maps_size = 0;
  take_maps(record);
  take_stack(record);
  record.complete.store(StackRecord::kComplete, std::memory_order_release);  // SYNC POINT stack-record
}

void clear(StackRecord& record) noexcept {
  record.complete.store(0, std::memory_order_relaxed);
  record.claimed.store(0, std::memory_order_release);
}

}  // namespace hotspare::worker
