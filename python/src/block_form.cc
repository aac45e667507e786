#include "block_form.hpp"

#include <algorithm>
#include <utility>

namespace hotspare::python {

BlockForm::BlockForm(nb::object python)
    : python_(std::move(python)),
      bytes_(nb::cast<Py_ssize_t>(python_.attr("nbytes"))),
      format_(nb::cast<std::string>(python_.attr("format"))),
      shape_(nb::cast<std::vector<Py_ssize_t>>(python_.attr("shape"))) {}

bool BlockForm::fits(const Py_buffer& buffer) const {
  if (buffer.len != bytes_) return false;
  if (format_.empty()) return true;
  return buffer.format != nullptr && format_ == buffer.format &&
         static_cast<std::size_t>(buffer.ndim) == shape_.size() &&
         std::equal(shape_.begin(), shape_.end(), buffer.shape);
}

void BlockForm::look_closer(nb::handle value, const char* name, bool writable) const {
  python_.attr("look_closer")(value, name, writable);
}

BlockView::BlockView(const BlockForm& form, nb::handle value, const char* name, bool writable) {
  const int flags = PyBUF_C_CONTIGUOUS | PyBUF_FORMAT | (writable ? PyBUF_WRITABLE : 0);
  if (PyObject_GetBuffer(value.ptr(), &buffer_, flags) != 0) {
    nb::python_error refused;
    form.look_closer(value, name, writable);
    throw refused;
  }
  if (form.fits(buffer_)) return;
  try {
    form.look_closer(value, name, writable);
    if (static_cast<std::size_t>(buffer_.len) != form.bytes()) throw nb::value_error("a buffer has another size");
  } catch (...) {
    PyBuffer_Release(&buffer_);
    throw;
  }
}

}  // namespace hotspare::python
