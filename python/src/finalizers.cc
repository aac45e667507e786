#include "finalizers.hpp"

#include <cstddef>
#include <unordered_set>

namespace hotspare::python {
namespace {

constexpr std::size_t most_looked_at = 1000;

/// Borrowed: nothing runs meanwhile that could let go of them.
struct Search {
  std::vector<PyObject*> ahead;
  std::unordered_set<PyObject*> seen;
};

int note(PyObject* object, void* search) {
  auto& [ahead, seen] = *static_cast<Search*>(search);
  // From classes, modules and functions one gets to everything, and none of them ends with a task.
  const bool leads_away = PyType_Check(object) || PyModule_Check(object) || PyFunction_Check(object);
  if (!leads_away && seen.size() < most_looked_at && seen.insert(object).second) ahead.push_back(object);
  return 0;
}

}  // namespace

std::vector<nb::object> with_finalizers(nb::handle root) {
  std::vector<nb::object> found;
  Search search;
  note(root.ptr(), &search);
  while (!search.ahead.empty()) {
    PyObject* const object = search.ahead.back();
    search.ahead.pop_back();
    const PyTypeObject* const type = Py_TYPE(object);
    if (type->tp_finalize != nullptr) found.push_back(nb::borrow(object));
    if (PyObject_IS_GC(object) != 0 && type->tp_traverse != nullptr) type->tp_traverse(object, note, &search);
  }
  return found;
}

}  // namespace hotspare::python
