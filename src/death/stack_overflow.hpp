#pragma once

#include "death/stack_image.hpp"

#include <cstdint>

namespace hotspare::death {

/// Whether a fault at `fault_address` means that the thread ran out of stack. Only for a SIGSEGV or SIGBUS that the
/// kernel raised (si_code > 0): a signal that somebody sent carries no address. Pure.
///
/// True if the address lies at the stack pointer (64 KiB either way) and outside the stack's low end. The stack is the
/// first writable mapping above sp, so a null or wild pointer can't qualify, nor one that runs off the high end.
bool beside_stack_end(std::uint64_t fault_address, const detail::StackImage& image);

}  // namespace hotspare::death
