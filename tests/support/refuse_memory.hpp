#pragma once

#include <atomic>
#include <cstdlib>
#include <new>
#include <unistd.h>

/// For one source of a test: memory is had through the operators below, which refuse some of it, in this process and to all
/// threads but those that are spared.
namespace hotspare::testing {

inline std::atomic<long> memory_until_refusal{0};  ///< 0: none is refused.
inline std::atomic<long> memory_refusals_left{0};
inline std::atomic<pid_t> memory_refused_in{0};
inline std::atomic<long> memory_refused{0};
inline thread_local bool spared_of_refusal = false;

/// For its lifetime the n-th allocation, and some after it, find no memory.
class RefuseMemory {
 public:
  explicit RefuseMemory(long nth, long in_a_row = 1) {
    memory_refused = 0;
    memory_refusals_left = in_a_row;
    memory_refused_in = ::getpid();
    memory_until_refusal = nth;
  }
  ~RefuseMemory() { memory_until_refusal = 0; }
  RefuseMemory(const RefuseMemory&) = delete;
  RefuseMemory& operator=(const RefuseMemory&) = delete;
  bool refused() const { return memory_refused != 0; }
};

/// What this thread asks for until then is neither refused nor counted.
class Spared {
 public:
  Spared() : before_(spared_of_refusal) { spared_of_refusal = true; }
  ~Spared() { spared_of_refusal = before_; }
  Spared(const Spared&) = delete;
  Spared& operator=(const Spared&) = delete;

 private:
  bool before_;
};

inline bool refuse_this_memory() {
  if (memory_until_refusal.load() == 0 || spared_of_refusal || ::getpid() != memory_refused_in.load()) return false;
  if (memory_until_refusal.load() > 1) {
    memory_until_refusal.fetch_sub(1);
    return false;
  }
  if (memory_refusals_left.fetch_sub(1) <= 0) return false;
  ++memory_refused;
  return true;
}

inline void* some_memory(std::size_t size) {
  return refuse_this_memory() ? nullptr : std::malloc(size == 0 ? 1 : size);
}
inline void* some_memory_or_throw(std::size_t size) {
  void* const got = some_memory(size);
  if (got == nullptr) throw std::bad_alloc();
  return got;
}

}  // namespace hotspare::testing

// NOLINTBEGIN(misc-definitions-in-headers): one source of a test includes it
void* operator new(std::size_t size) { return hotspare::testing::some_memory_or_throw(size); }
void* operator new[](std::size_t size) { return hotspare::testing::some_memory_or_throw(size); }
void* operator new(std::size_t size, const std::nothrow_t&) noexcept { return hotspare::testing::some_memory(size); }
void* operator new[](std::size_t size, const std::nothrow_t&) noexcept { return hotspare::testing::some_memory(size); }
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete[](void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete[](void* memory, std::size_t) noexcept { std::free(memory); }
// NOLINTEND(misc-definitions-in-headers)
