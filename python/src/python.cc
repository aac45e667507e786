#include "python.hpp"

namespace hotspare::python {

nb::object python_name(const char* module, const char* name) { return nb::module_::import_(module).attr(name); }

std::vector<std::string> words_of_bytes(nb::handle list) {
  std::vector<std::string> words;
  for (const nb::handle each : list) {
    const nb::bytes bytes = nb::cast<nb::bytes>(each);
    words.emplace_back(bytes.c_str(), bytes.size());
  }
  return words;
}

void raise_set_error() { throw nb::python_error(); }

}  // namespace hotspare::python
