#pragma once

#include "python.hpp"

#include <cstddef>
#include <optional>
#include <span>

namespace hotspare::python {

/// Where a processor finds its block. A copy: what it keeps of it stays as it is for as long as it likes, and the next
/// block gets another room. To copy a small block costs less than to make an array over it.
class InputRoom {
 public:
  /// form: of class hotspare._blocks.Form.
  explicit InputRoom(nb::object form);
  nb::object filled(std::span<const std::byte> in);
  /// After the call: whether the processor has kept it.
  void settle();

 private:
  nb::object form_;
  bool plain_;  ///< Blocks are bytes.
  nb::object owner_;
  nb::object view_;  ///< Read-only.
  std::byte* data_ = nullptr;
  Py_ssize_t owner_references_ = 0;
};

/// Where it writes its answer; the same holds. Zeros at first, so that an answer never depends on which blocks this very
/// replica has processed.
class OutputRoom {
 public:
  explicit OutputRoom(nb::object form);
  PyObject* emptied();
  void take(std::span<std::byte> out) const;
  void settle();

 private:
  nb::object form_;
  nb::object room_;
};

}  // namespace hotspare::python
