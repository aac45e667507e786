#include "processor_rooms.hpp"

#include <cstring>
#include <utility>

namespace hotspare::python {
namespace {

std::span<std::byte> bytes_of_room(nb::handle room) {
  Py_buffer buffer;
  if (PyObject_GetBuffer(room.ptr(), &buffer, PyBUF_WRITABLE) != 0) raise_set_error();
  const std::span<std::byte> bytes(static_cast<std::byte*>(buffer.buf), static_cast<std::size_t>(buffer.len));
  PyBuffer_Release(&buffer);  // we hold the room, which stays where it is
  return bytes;
}

}  // namespace

InputRoom::InputRoom(nb::object form) : form_(std::move(form)), plain_(nb::cast<bool>(form_.attr("plain"))) {}

nb::object InputRoom::filled(std::span<const std::byte> in) {
  if (plain_)
    return checked(
        PyBytes_FromStringAndSize(reinterpret_cast<const char*>(in.data()), static_cast<Py_ssize_t>(in.size())));
  if (!view_.is_valid()) {
    const nb::tuple made = nb::cast<nb::tuple>(form_.attr("input_room")());
    owner_ = made[0];
    view_ = made[1];
    data_ = bytes_of_room(owner_).data();
  }
  owner_references_ = Py_REFCNT(owner_.ptr());
  if (!in.empty()) std::memcpy(data_, in.data(), in.size());
  return view_;
}

void InputRoom::settle() {
  if (plain_ || (Py_REFCNT(view_.ptr()) == 1 && Py_REFCNT(owner_.ptr()) == owner_references_)) return;
  view_ = nb::object();
  owner_ = nb::object();
}

OutputRoom::OutputRoom(nb::object form) : form_(std::move(form)) {}

PyObject* OutputRoom::emptied() {
  if (!room_.is_valid()) room_ = form_.attr("fresh")();
  const std::span<std::byte> bytes = bytes_of_room(room_);
  std::memset(bytes.data(), 0, bytes.size());
  return room_.ptr();
}

void OutputRoom::take(std::span<std::byte> out) const {
  const std::span<std::byte> bytes = bytes_of_room(room_);
  if (bytes.size() != out.size()) form_.attr("refuse_resized")(bytes.size());
  std::memcpy(out.data(), bytes.data(), out.size());
}

void OutputRoom::settle() {
  if (Py_REFCNT(room_.ptr()) != 1) room_ = nb::object();
}

}  // namespace hotspare::python
