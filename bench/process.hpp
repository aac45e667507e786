#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <new>
#include <sys/types.h>
#include <utility>

/// Bare primitives, with nothing of the pool's in between.
namespace bench {

/// CLOCK_MONOTONIC: the same in all processes.
std::int64_t now_ns() noexcept;
/// Lets wakes and teardowns of the round before come to an end, so that each round starts on an idle machine.
void rest_ms(int milliseconds) noexcept;
void futex_wait(std::atomic<std::uint32_t>& word, std::uint32_t expected) noexcept;
void futex_wake(std::atomic<std::uint32_t>& word) noexcept;

/// Opened by one process, waited for by others, blocking. Used again after reset(), when nobody waits any more.
class Gate {
 public:
  void open() noexcept {
    word_.store(1, std::memory_order_release);
    futex_wake(word_);
  }
  void wait() noexcept {
    while (word_.load(std::memory_order_acquire) == 0) futex_wait(word_, 0);
  }
  void reset() noexcept { word_.store(0, std::memory_order_release); }

 private:
  std::atomic<std::uint32_t> word_{0};
};

std::byte* map_shared(std::size_t bytes);
void unmap(std::byte* data, std::size_t bytes) noexcept;

/// One T in memory that this process and its later children share.
template <class T>
class Shared {
 public:
  Shared() : data_(map_shared(sizeof(T))), value_(new (data_) T) {}
  ~Shared() { unmap(data_, sizeof(T)); }
  Shared(const Shared&) = delete;
  Shared& operator=(const Shared&) = delete;
  T* operator->() const { return value_; }
  T& operator*() const { return *value_; }
  T* get() const { return value_; }

 private:
  std::byte* data_;
  T* value_;
};

/// A forked process that runs one function. Ended and reaped by the destructor at the latest; the kernel ends it when
/// this process dies. WARNING: the function may only do what is allowed after a fork of a process with threads.
class Child {
 public:
  explicit Child(const std::function<void()>& body);
  ~Child();
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  pid_t pid() const { return pid_; }
  void kill() const noexcept;
  void wait() noexcept;

 private:
  pid_t pid_;
};

/// Private pages of 4 KiB, each written once; kept until the process ends. Huge pages would be freed in no time.
void make_resident(std::size_t bytes);

/// Keeps the compiler from leaving out what leads to this value.
template <class T>
void keep(const T& value) {
  asm volatile("" : : "g"(&value) : "memory");
}

}  // namespace bench
