#pragma once

#include "os/registers.hpp"
#include "worker/stack_record.hpp"

#include <hotspare/crash_report.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace hotspare::detail {

/// The raw material of a call stack, safe in the host's own memory: taken cheaply at a death, unwound only when
/// somebody asks. Fields do not change once it is shared; frames() may be called from any thread.
struct StackImage {
  os::Registers registers;
  std::int32_t thread_id = 0;
  std::uint64_t stack_low = 0;  ///< The mapping that is the stack, [low, high); 0 if unknown.
  std::uint64_t stack_high = 0;
  std::uint64_t stack_start = 0;  ///< Address of stack[0] in the worker.
  std::vector<std::byte> stack;
  std::string maps;  ///< Executable lines of /proc/PID/maps.

  /// One whose frames are known already.
  static std::shared_ptr<StackImage> told(std::vector<Frame> frames, std::int64_t thread_id = 0);

  /// Unwound and symbolised at the first call.
  const std::vector<Frame>& frames() const;

 private:
  mutable std::once_flag once_;
  mutable std::vector<Frame> frames_;
};

}  // namespace hotspare::detail

namespace hotspare::death {

/// Copies a record that a dying process wrote; nothing in it is believed. Null if it was never completed or makes no
/// sense. Throws std::bad_alloc only.
std::shared_ptr<detail::StackImage> from_record(const worker::StackRecord& record);

}  // namespace hotspare::death
