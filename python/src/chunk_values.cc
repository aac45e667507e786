#include "chunk_values.hpp"

#include "buffers_at.hpp"
#include "pickling.hpp"

#include <hotspare/detail/parts.hpp>
#include <hotspare/error.hpp>

#include <cstdint>
#include <cstring>
#include <vector>

namespace hotspare::python {
namespace {

using detail::ByteSource;
using detail::Part;
using detail::TaskContext;

enum class ValueKind : std::uint8_t { none, yes, no, whole, real, text, bytes, pickle, begun, seconds };

/// Writes what follows the kind.
template <class Write>
void give(TaskContext& context, ValueKind kind, std::size_t size, Write write) {
  std::byte* room = context.reserve_part(1 + size);
  *room = static_cast<std::byte>(kind);
  write(room + 1);
  context.give_part();
}

void give_bytes(TaskContext& context, ValueKind kind, const void* data, std::size_t size) {
  give(context, kind, size, [&](std::byte* room) {
    if (size != 0) std::memcpy(room, data, size);
  });
}

void give_pickle(TaskContext& context, nb::handle value) {
  const Pickled pickled = pickle(value);
  std::vector<BufferAt> places;
  for (const nb::object& view : pickled.buffers) places.push_back(hand_out(view, context));
  const auto body = bytes_of_bytes(pickled.bytes);
  const auto count = static_cast<std::uint32_t>(places.size());
  const std::size_t places_bytes = places.size() * sizeof(BufferAt);
  give(context, ValueKind::pickle, sizeof count + places_bytes + body.size(), [&](std::byte* room) {
    std::memcpy(room, &count, sizeof count);
    if (places_bytes != 0) std::memcpy(room + sizeof count, places.data(), places_bytes);
    std::memcpy(room + sizeof count + places_bytes, body.data(), body.size());
  });
}

/// False: it does not travel as it is.
bool give_plain(TaskContext& context, PyObject* value) {
  if (value == Py_None || value == Py_True || value == Py_False) {
    const ValueKind kind = value == Py_None ? ValueKind::none : value == Py_True ? ValueKind::yes : ValueKind::no;
    give_bytes(context, kind, nullptr, 0);
    return true;
  }
  if (PyLong_CheckExact(value)) {
    int overflow = 0;
    const long long number = PyLong_AsLongLongAndOverflow(value, &overflow);
    if (overflow == 0) give_bytes(context, ValueKind::whole, &number, sizeof number);
    return overflow == 0;
  }
  if (PyFloat_CheckExact(value)) {
    const double number = PyFloat_AS_DOUBLE(value);
    give_bytes(context, ValueKind::real, &number, sizeof number);
    return true;
  }
  if (PyUnicode_CheckExact(value)) {
    Py_ssize_t size = 0;
    const char* text = PyUnicode_AsUTF8AndSize(value, &size);
    if (text == nullptr) PyErr_Clear();  // half of a surrogate pair, say: pickle knows how to carry it
    if (text != nullptr) give_bytes(context, ValueKind::text, text, static_cast<std::size_t>(size));
    return text != nullptr;
  }
  if (PyBytes_CheckExact(value)) {
    give_bytes(context, ValueKind::bytes, PyBytes_AS_STRING(value), static_cast<std::size_t>(PyBytes_GET_SIZE(value)));
    return true;
  }
  return false;
}

template <class T>
T number_in(ByteSource& source) {
  T number{};
  source.take(&number, sizeof number);
  return number;
}

nb::object value_of(ValueKind kind, ByteSource& source, detail::Attachments& attachments) {
  const auto rest = [&source] {
    const std::size_t size = source.remaining();
    return std::span(source.view(size, 1), size);
  };
  const auto text = [](std::span<const std::byte> bytes) { return reinterpret_cast<const char*>(bytes.data()); };
  switch (kind) {
    case ValueKind::none: return nb::none();
    case ValueKind::yes: return nb::borrow(Py_True);
    case ValueKind::no: return nb::borrow(Py_False);
    case ValueKind::whole: return checked(PyLong_FromLongLong(number_in<long long>(source)));
    case ValueKind::real: return checked(PyFloat_FromDouble(number_in<double>(source)));
    case ValueKind::text: {
      const auto bytes = rest();
      return checked(PyUnicode_DecodeUTF8(text(bytes), static_cast<Py_ssize_t>(bytes.size()), nullptr));
    }
    case ValueKind::bytes: {
      const auto bytes = rest();
      return checked(PyBytes_FromStringAndSize(text(bytes), static_cast<Py_ssize_t>(bytes.size())));
    }
    case ValueKind::pickle: {
      const nb::object blocks = blocks_of(source, number_in<std::uint32_t>(source), attachments);
      return unpickle(rest(), blocks);
    }
    case ValueKind::begun:
    case ValueKind::seconds: break;
  }
  throw PayloadError("a value of an unknown kind");
}

}  // namespace

void begin_chunk(TaskContext& context) { give_bytes(context, ValueKind::begun, nullptr, 0); }

void give_chunk_value(TaskContext& context, nb::handle value) {
  if (!give_plain(context, value.ptr())) give_pickle(context, value);
}

void give_chunk_failure(TaskContext& context, const nb::object& described) {
  const Pickled pickled = pickle(described);
  const auto bytes = bytes_of_bytes(pickled.bytes);
  std::byte* room = context.reserve_part(bytes.size(), true);
  std::memcpy(room, bytes.data(), bytes.size());
  context.give_part();
}

void end_chunk(TaskContext& context, double seconds) {
  give_bytes(context, ValueKind::seconds, &seconds, sizeof seconds);
  context.end_parts();
}

namespace {

/// The host's side of one chunk.
class Arrivals {
 public:
  explicit Arrivals(detail::Attachments& attachments) : attachments_(attachments) {}

  void take(const Part& part) {
    try {
      read(part);
    } catch (const PayloadError& error) {
      fail(python_name("builtins", "RuntimeError")(error.what()));
    } catch (nb::python_error& error) {
      if (python_name("hotspare._future", "is_for_who_waits")(nb::borrow(error.value())).ptr() == Py_True) throw;
      fail(nb::borrow(error.value()));
    }
  }
  nb::tuple all() const { return nb::make_tuple(values_, failures_, seconds_); }

 private:
  void read(const Part& part) {
    if (part.raised) return fail(unpickle(part.bytes));
    ByteSource source(part.bytes);
    const auto kind = number_in<ValueKind>(source);
    if (kind == ValueKind::begun) return;
    if (kind == ValueKind::seconds) {
      seconds_ = number_in<double>(source);
    } else {
      append(values_, value_of(kind, source, attachments_));
    }
  }
  static void append(nb::list& list, const nb::object& value) {
    if (PyList_Append(list.ptr(), value.ptr()) != 0) raise_set_error();
  }
  void fail(const nb::object& what) {
    append(failures_, nb::make_tuple(nb::len(values_), what));
    append(values_, nb::none());
  }

  detail::Attachments& attachments_;
  nb::list values_;
  nb::list failures_;
  double seconds_ = 0;
};

}  // namespace

nb::tuple chunk_values(std::span<const std::byte> parts, detail::Attachments& attachments) {
  Arrivals arrivals(attachments);
  for (detail::PartsReader reader(parts); !reader.at_end();) arrivals.take(reader.next());
  return arrivals.all();
}

}  // namespace hotspare::python
