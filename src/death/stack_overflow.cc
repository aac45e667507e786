#include "death/stack_overflow.hpp"

namespace hotspare::death {
namespace {

/// A function touches its frame near sp, or (x86_64) just below it. Stack probes go page by page.
constexpr std::uint64_t kNear = 64 * 1024;
/// One huge frame moves sp far beyond the end at once. The kernel keeps 128 MiB free below a main stack
/// (mmap_base() in mm/util.c), so within these the next writable mapping is that stack.
constexpr std::uint64_t kHugeFrame = std::uint64_t{128} << 20;

bool near(std::uint64_t a, std::uint64_t b) { return (a > b ? a - b : b - a) <= kNear; }

}  // namespace

bool beside_stack_end(std::uint64_t fault_address, const detail::StackImage& image) {
  const std::uint64_t sp = image.registers.sp;
  const std::uint64_t low = image.stack_low;
  if (low == 0 || low >= image.stack_high) return false;
  if (fault_address < low) {
    if (sp >= low) return near(fault_address, sp);
    const bool in_huge_frame = fault_address >= sp;
    return low - sp <= kHugeFrame && (in_huge_frame || near(fault_address, sp));
  }
  // Inside a mapping that claims to be writable, and yet it faulted. That is a guard installed by
  // madvise(MADV_GUARD_INSTALL), which no map shows (glibc 2.42 and later)...
  const bool inside = fault_address < image.stack_high && sp >= low && sp < image.stack_high;
  // ... or a jump into the stack's data, which may be written but not executed.
  return inside && near(fault_address, sp) && fault_address != image.registers.pc;
}

}  // namespace hotspare::death
