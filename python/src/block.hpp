#pragma once

#include "python.hpp"

#include <hotspare/buffer.hpp>

#include <cstddef>

namespace hotspare::python {

/// Shared memory as Python sees it: an object with the buffer protocol, whose bytes are given back when the last array or
/// view over it goes. All functions need the GIL.
class Block {
 public:
  explicit Block(Buffer buffer) : buffer_(std::move(buffer)) {}
  const Buffer& buffer() const { return buffer_; }

 private:
  Buffer buffer_;
};

void define_block(nb::module_& module);

nb::object make_block(Buffer buffer);

/// The Buffer that hotspare.empty() made and that begins at this address, if it is at least so large; else an empty one.
Buffer shared_buffer_at(const void* address, std::size_t size);

/// New shared memory, remembered for shared_buffer_at.
nb::object make_shared_block(std::size_t size);

/// Writes to each page, so that a copy-on-write mapping no longer shows what others write.
void make_own_copy(const Buffer& buffer);

}  // namespace hotspare::python
