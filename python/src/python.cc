#include "python.hpp"

namespace hotspare::python {

nb::object python_name(const char* module, const char* name) { return nb::module_::import_(module).attr(name); }

void raise_set_error() { throw nb::python_error(); }

}  // namespace hotspare::python
