#pragma once

#include "worker/stack_record.hpp"

#include <sys/ucontext.h>

namespace hotspare::worker {

/// Copies the interrupted thread's registers, its stack and the executable mappings into `record`. To be called by a
/// signal handler with its third argument; async-signal-safe: no allocation, no lock, no access that can fault. Needs
/// about 1 KiB of stack and some 100 µs. Does nothing if the record was already claimed by another thread.
void capture_here(const ucontext_t* context, StackRecord& record) noexcept;

/// Makes a record empty for its next owner. Nobody may be writing it.
void clear(StackRecord& record) noexcept;

}  // namespace hotspare::worker
