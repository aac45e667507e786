#pragma once

#include <cstdint>

namespace hotspare::os {

/// What lies at an address of this process.
enum class Memory : std::uint8_t {
  none,     ///< Nothing, or what is no address.
  stack,    ///< The calling thread's, or the program's first.
  heap,     ///< Private memory of no file: malloc's, other threads' stacks.
  program,  ///< Code and static objects of a module that lies at the same place in each of its processes,
  module,   ///< or of one that does not.
  mapping   ///< Shared memory, or a file.
};

/// The list of mappings is kept, and read again when something is mapped that is not in it: a few ns for what is no address,
/// some 100 ns for one, 0.1 ms and more to read the list. All is none without /proc. Threads: any.
Memory memory_at(std::uintptr_t address);

}  // namespace hotspare::os
