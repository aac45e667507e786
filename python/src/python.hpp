#pragma once

#include "gil.hpp"

#include <nanobind/nanobind.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <string>
#include <utility>
#include <vector>

/// What all sources of the extension share: counted references to Python objects, and the GIL.
namespace hotspare::python {

namespace nb = nanobind;

/// The module's Python half (hotspare._worker, hotspare._errors, …), looked up once per process.
nb::object python_name(const char* module, const char* name);

/// Of a list of bytes: words of a command, which need not be text.
std::vector<std::string> words_of_bytes(nb::handle list);

/// Throws the Python error that is set as an exception.
[[noreturn]] void raise_set_error();

/// A new reference, or the error that is set.
inline nb::object checked(PyObject* fresh) {
  if (fresh == nullptr) raise_set_error();
  return nb::steal(fresh);
}

}  // namespace hotspare::python
