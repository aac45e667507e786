#include "death/demangle.hpp"
#include "os/own_addresses.hpp"
#include "supervisor/engine.hpp"

#include <cstring>

/// What a task is made of must mean the same in a worker: of raw bytes no address may be one of this process's memory.
namespace hotspare::detail {
namespace {

const char* whose(os::Memory memory) {
  switch (memory) {
    case os::Memory::stack: return "stack";
    case os::Memory::heap: return "heap";
    default: return "memory";
  }
}

bool means_nothing_there(os::Memory memory, Start start) {
  if (memory == os::Memory::stack || memory == os::Memory::heap) return true;
  return start == Start::exec && (memory == os::Memory::module || memory == os::Memory::mapping);
}

}  // namespace

void refuse_addresses(const Engine& engine, std::span<const std::byte> bytes, const char* type_name) {
  for (std::size_t at = 0; at + sizeof(std::uintptr_t) <= bytes.size(); at += sizeof(std::uintptr_t)) {
    std::uintptr_t word = 0;
    std::memcpy(&word, bytes.data() + at, sizeof word);
    const os::Memory memory = os::memory_at(word);
    if (!means_nothing_there(memory, engine.options().start)) continue;
    const bool forked = engine.options().start == Start::fork;
    throw Error(
        "hotspare: what is to be sent to a worker holds an address of this process's " + std::string(whose(memory)) +
        " (byte " + std::to_string(at) + " of " + death::demangle_type(type_name) +
        "; a captured reference, or this, is one, too), which means nothing there: pass what it points to as an "
        "argument" +
        (forked ? ". If it is meant, of something that was there when the pool was made: capture "
                  "hotspare::inherited(pointer)"
                : ""));
  }
}

}  // namespace hotspare::detail
