#pragma once

#include <cstddef>
#include <cstdint>

namespace hotspare {

/// An address that workers have inherited: what a task captures instead of a pointer or reference, to say that it is meant.
/// The worker sees what was there when the pool was made (Start::fork), as it was then, and its own copy of it: what either
/// side writes the other never sees. What was allocated afterwards is not there, and with Start::exec nothing is.
///
///     pool.submit([table = hotspare::inherited(&table)](int row) { return table->at(row); }, 7);
template <class T>
class Inherited {
 public:
  explicit Inherited(T* address) noexcept : hidden_(~reinterpret_cast<std::uintptr_t>(address)) {}
  T* get() const noexcept { return reinterpret_cast<T*>(~hidden_); }
  T& operator*() const noexcept { return *get(); }
  T* operator->() const noexcept { return get(); }
  T& operator[](std::size_t index) const noexcept { return get()[index]; }

 private:
  std::uintptr_t hidden_;  ///< The complement, which is nobody's address: submit refuses those that are.
};

template <class T>
Inherited<T> inherited(T* address) noexcept {
  return Inherited<T>(address);
}

}  // namespace hotspare
