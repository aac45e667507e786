#include "pickling.hpp"

#include <cstring>
#include <string_view>
#include <unordered_map>
#include <utility>

namespace hotspare::python {
namespace {

/// Where the pickler's callback puts what is large. One pickle of a thread at a time fills it; a nested one, that of a
/// signal handler or of a reducer, has its own. A pickler runs Python, so other threads pickle in the midst of it.
thread_local std::vector<nb::object>* collecting = nullptr;

/// Called by the pickler for each PickleBuffer. True: keep it within the pickle.
PyObject* on_buffer(PyObject*, PyObject* buffer) {
  PyObject* raw = PyObject_CallMethod(buffer, "raw", nullptr);  // a flat view; fails if it is not contiguous
  if (raw == nullptr) {
    PyErr_Clear();
    Py_RETURN_TRUE;
  }
  nb::object view = nb::steal(raw);
  const Py_buffer* const info = PyMemoryView_GET_BUFFER(raw);
  if (info->len < static_cast<Py_ssize_t>(large_buffer)) Py_RETURN_TRUE;
  collecting->push_back(std::move(view));
  Py_RETURN_FALSE;
}

PyMethodDef on_buffer_def = {"on_buffer", on_buffer, METH_O, nullptr};

/// Called when a pickler has failed and another one begins anew.
PyObject* drop_buffers(PyObject*, PyObject*) {
  std::exchange(*collecting, {});
  Py_RETURN_NONE;
}

PyMethodDef drop_buffers_def = {"drop_buffers", drop_buffers, METH_NOARGS, nullptr};

class Collect {
 public:
  explicit Collect(std::vector<nb::object>& into) : before_(std::exchange(collecting, &into)) {}
  ~Collect() { collecting = before_; }
  Collect(const Collect&) = delete;
  Collect& operator=(const Collect&) = delete;

 private:
  std::vector<nb::object>* before_;
};

/// Made of exact numbers, strings and the like, in lists, tuples and dicts: no reducer of anybody's is asked.
bool is_plain(PyObject* object, int depth = 3) {
  if (object == Py_None || PyLong_CheckExact(object) || PyUnicode_CheckExact(object) || PyFloat_CheckExact(object) ||
      PyBytes_CheckExact(object) || PyBool_Check(object))
    return true;
  if (depth == 0) return false;
  if (PyTuple_CheckExact(object) || PyList_CheckExact(object)) {
    const Py_ssize_t size = PySequence_Fast_GET_SIZE(object);
    PyObject** const items = PySequence_Fast_ITEMS(object);
    for (Py_ssize_t i = 0; i < size; ++i)
      if (!is_plain(items[i], depth - 1)) return false;
    return true;
  }
  if (PyDict_CheckExact(object)) {
    PyObject* key = nullptr;
    PyObject* value = nullptr;
    for (Py_ssize_t at = 0; PyDict_Next(object, &at, &key, &value) != 0;)
      if (!is_plain(key, depth - 1) || !is_plain(value, depth - 1)) return false;
    return true;
  }
  return false;
}

/// What is needed of Python's pickle module. Never released: workers and the host's last threads may use it to the end.
struct Names {
  PyObject* dumps = python_name("hotspare._pickling", "dumps").release().ptr();
  PyObject* plain_dumps = python_name("_pickle", "dumps").release().ptr();
  PyObject* protocol = PyLong_FromLong(5);
  PyObject* loads = python_name("_pickle", "loads").release().ptr();
  PyObject* on_buffer = PyCFunction_New(&on_buffer_def, nullptr);
  PyObject* drop_buffers = PyCFunction_New(&drop_buffers_def, nullptr);
  PyObject* buffers_keyword = PyTuple_Pack(1, PyUnicode_InternFromString("buffers"));
};
const Names& names() {
  static const auto* const it = new Names;
  return *it;
}

bool has_only_a_name(PyObject* function) {
  if (PyFunction_Check(function)) return true;
  if (PyType_CheckExact(function)) return true;
  if (!PyCFunction_Check(function)) return false;
  PyObject* const self = PyCFunction_GET_SELF(function);
  return self == nullptr || PyModule_Check(self);
}

struct NamedFunction {
  PyObject* alive;  ///< A weak reference to it: another object may get its address.
  std::string bytes;
};
std::unordered_map<PyObject*, NamedFunction>& named_functions() {
  static auto* const map = new std::unordered_map<PyObject*, NamedFunction>;
  return *map;
}

/// By what a worker was sent; strong references, for functions are few and live as long as their module.
std::unordered_map<std::string, PyObject*>& known_functions() {
  static auto* const map = new std::unordered_map<std::string, PyObject*>;
  return *map;
}
constexpr std::size_t most_known = 4096;

/// A pickle that is a global name alone cannot hold state: no BUILD, REDUCE, or the like.
bool is_a_name(PyObject* function, nb::handle bytes) {
  return python_name("hotspare._pickling", "is_a_name")(nb::handle(function), bytes).ptr() == Py_True;
}

}  // namespace

Pickled pickle(nb::handle object) {
  Pickled result;
  if (is_plain(object.ptr())) {
    PyObject* const arguments[] = {object.ptr(), names().protocol};
    result.bytes = checked(PyObject_Vectorcall(names().plain_dumps, arguments, 2, nullptr));
    return result;
  }
  const Collect collect(result.buffers);
  PyObject* const arguments[] = {object.ptr(), names().on_buffer, names().drop_buffers};
  result.bytes = checked(PyObject_Vectorcall(names().dumps, arguments, 3, nullptr));
  return result;
}

nb::object unpickle(std::span<const std::byte> bytes, nb::handle buffers) {
  const nb::object view =
      checked(PyMemoryView_FromMemory(const_cast<char*>(reinterpret_cast<const char*>(bytes.data())),
                                      static_cast<Py_ssize_t>(bytes.size()), PyBUF_READ));
  PyObject* const arguments[] = {view.ptr(), buffers.ptr()};
  const bool with_buffers = buffers.is_valid();
  return checked(PyObject_Vectorcall(names().loads, arguments, 1, with_buffers ? names().buffers_keyword : nullptr));
}

std::span<const std::byte> bytes_of(const nb::object& view) {
  const Py_buffer* const info = PyMemoryView_GET_BUFFER(view.ptr());
  return {static_cast<const std::byte*>(info->buf), static_cast<std::size_t>(info->len)};
}

std::span<const std::byte> pickled_name(nb::handle function) {
  PyObject* const object = function.ptr();
  if (!has_only_a_name(object)) return {};
  auto& map = named_functions();
  if (const auto found = map.find(object); found != map.end()) {
    if (PyWeakref_GET_OBJECT(found->second.alive) == object)
      return std::as_bytes(std::span(found->second.bytes.data(), found->second.bytes.size()));
    Py_DECREF(found->second.alive);
    map.erase(found);
  }
  const Pickled pickled = pickle(function);
  if (!pickled.buffers.empty() || !is_a_name(object, pickled.bytes)) return {};
  PyObject* const alive = PyWeakref_NewRef(object, nullptr);
  if (alive == nullptr) {
    PyErr_Clear();
    return {};
  }
  if (map.size() >= most_known) map.clear();
  const auto bytes = bytes_of_bytes(pickled.bytes);
  auto& kept = map[object] = {alive, std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size())};
  return std::as_bytes(std::span(kept.bytes.data(), kept.bytes.size()));
}

nb::object function_named(std::span<const std::byte> bytes) {
  auto& map = known_functions();
  const std::string key(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  if (const auto found = map.find(key); found != map.end()) return nb::borrow(found->second);
  nb::object function = unpickle(bytes);
  if (map.size() < most_known) map[key] = nb::object(function).release().ptr();
  return function;
}

}  // namespace hotspare::python
