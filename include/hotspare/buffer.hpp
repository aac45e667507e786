#pragma once

#include <hotspare/export.hpp>

#include <cstddef>
#include <span>
#include <utility>

namespace hotspare {

namespace detail {
class Segment;
HOTSPARE_API void segment_retain(Segment* segment) noexcept;
HOTSPARE_API void segment_release(Segment* segment) noexcept;
}  // namespace detail

/// Bytes that live in shared memory, so that no process copies them: fill one in a task and return it, or
/// pass it as an argument; the other side maps the same pages. A handle: copies share the bytes, which are
/// given back when the last handle goes, even after the pool is closed. Page-aligned.
/// In a task an argument Buffer is read-only (writing raises SIGSEGV); a Buffer made by the task is writable.
/// An argument is lent to its task: kept beyond its end it can still be read, but its bytes may have changed, and only
/// the task that got or made a Buffer can return it (PayloadError). Processes that a task forks inherit its arguments, but not
/// the Buffers that it made. A fork of the host may read what it inherited, and let go of it; it gives nothing back.
/// Threads: handles as shared_ptr; the bytes are yours to synchronise.
class HOTSPARE_API Buffer {
 public:
  Buffer() noexcept = default;
  /// A buffer of so many bytes, contents unspecified. In a task its memory comes warm from the pool; in the
  /// host it is fresh (Pool::buffer gives warm memory there). Throws std::bad_alloc; in a task PayloadError, when it holds
  /// 2048 of them and results already, or all tasks of its pool 8192.
  static Buffer make(std::size_t bytes);

  Buffer(const Buffer& other) noexcept : segment_(other.segment_), data_(other.data_), size_(other.size_) {
    if (segment_ != nullptr) detail::segment_retain(segment_);
  }
  Buffer(Buffer&& other) noexcept { swap(other); }
  Buffer& operator=(Buffer other) noexcept {
    swap(other);
    return *this;
  }
  ~Buffer() {
    if (segment_ != nullptr) detail::segment_release(segment_);
  }

  std::byte* data() const noexcept { return data_; }
  std::size_t size() const noexcept { return size_; }
  bool empty() const noexcept { return size_ == 0; }
  std::span<std::byte> bytes() const noexcept { return {data_, size_}; }
  /// The bytes as an array of T; a remainder smaller than T is left out.
  template <class T>
  std::span<T> as() const noexcept {
    return {reinterpret_cast<T*>(data_), size_ / sizeof(T)};
  }

  void swap(Buffer& other) noexcept {
    std::swap(segment_, other.segment_);
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
  }

  /// For the engine: takes over one reference to the segment.
  Buffer(detail::Segment* adopted, std::byte* data, std::size_t size) noexcept
      : segment_(adopted), data_(data), size_(size) {}
  detail::Segment* segment() const noexcept { return segment_; }

 private:
  detail::Segment* segment_ = nullptr;
  std::byte* data_ = nullptr;
  std::size_t size_ = 0;
};

}  // namespace hotspare
