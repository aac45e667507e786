#pragma once

#include "python.hpp"

#include <cstddef>
#include <span>
#include <string>
#include <vector>

namespace hotspare::python {

/// What the blocks of a stream look like: shape and type of their items, or only so many bytes. The quick half of
/// hotspare._blocks.Form, which looks again at what this one does not know, and says in words what is wrong.
class BlockForm {
 public:
  explicit BlockForm(nb::object python);
  std::size_t bytes() const { return static_cast<std::size_t>(bytes_); }
  /// Whether it is certain that this buffer has the form.
  bool fits(const Py_buffer& buffer) const;
  /// Raises, unless it has the form in spite of what it looks like.
  void look_closer(nb::handle value, const char* name, bool writable) const;

 private:
  nb::object python_;
  Py_ssize_t bytes_;
  std::string format_;  ///< Empty: any.
  std::vector<Py_ssize_t> shape_;
};

/// The bytes of an object with that form, for as long as this lives. Throws nb::python_error.
class BlockView {
 public:
  BlockView(const BlockForm& form, nb::handle value, const char* name, bool writable);
  ~BlockView() { PyBuffer_Release(&buffer_); }
  BlockView(const BlockView&) = delete;
  BlockView& operator=(const BlockView&) = delete;
  std::span<std::byte> bytes() const {
    return {static_cast<std::byte*>(buffer_.buf), static_cast<std::size_t>(buffer_.len)};
  }

 private:
  Py_buffer buffer_{};
};

}  // namespace hotspare::python
