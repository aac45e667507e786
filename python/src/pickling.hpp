#pragma once

#include "python.hpp"

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include <hotspare/buffer.hpp>
#include <hotspare/detail/task_ref.hpp>

/// Objects ↔ bytes: pickle protocol 5, with large buffers beside the bytes in shared memory. GIL held throughout.
namespace hotspare::python {

/// Buffers from this size on travel beside the pickle, in shared memory; smaller ones are copied into it.
inline constexpr std::size_t large_buffer = 64 * 1024;

/// A pickle, and the contiguous buffers that it refers to, in order.
struct Pickled {
  nb::object bytes;
  std::vector<nb::object> buffers;  ///< memoryviews of at least large_buffer bytes.
};

/// Throws nb::python_error.
Pickled pickle(nb::handle object);
nb::object unpickle(std::span<const std::byte> bytes, nb::handle buffers = {});

/// The bytes of a contiguous memoryview.
std::span<const std::byte> bytes_of(const nb::object& view);
inline std::span<const std::byte> bytes_of_bytes(nb::handle bytes) {
  return {reinterpret_cast<const std::byte*>(PyBytes_AS_STRING(bytes.ptr())),
          static_cast<std::size_t>(PyBytes_GET_SIZE(bytes.ptr()))};
}

/// How a function travels that is pickled by its name alone: those bytes, made once. Empty for all others.
std::span<const std::byte> pickled_name(nb::handle function);
/// The other way, remembered in the worker.
nb::object function_named(std::span<const std::byte> bytes);

/// One Buffer beside a payload.
struct BufferAt {
  std::uint64_t handle;
  std::uint64_t size;
};

}  // namespace hotspare::python
