#include "worker/raised.hpp"

#include "death/demangle.hpp"
#include "death/unwind.hpp"
#include "worker/crash_handler.hpp"
#include "worker/executable_maps.hpp"
#include "worker/worker_state.hpp"

#include <hotspare/chaos_how.hpp>
#include <hotspare/error.hpp>
#include <hotspare/serialize.hpp>

#include <any>
#include <array>
#include <cstdlib>
#include <cxxabi.h>
#include <filesystem>
#include <functional>
#include <future>
#include <ios>
#include <new>
#include <optional>
#include <regex>
#include <stdexcept>
#include <system_error>
#include <typeinfo>
#include <variant>

namespace hotspare::detail {
namespace {

/// On the wire: what kind of exception follows. Order is that of `simple`, then the special ones.
struct Wire {
  std::uint32_t kind = 0;
  std::string type;
  std::string message;
  std::int32_t code = 0;
  std::string category;
  std::string path1, path2;
  std::vector<std::uint64_t> stack;
  std::string maps;
  template <class Archive>
  void serialize(Archive& ar) {
    ar(kind, type, message, code, category, path1, path2, stack, maps);
  }
};

struct Simple {
  const std::type_info& type;
  std::exception_ptr (*make)(const std::string& message);
};
template <class E>
std::exception_ptr with_message(const std::string& message) {
  return std::make_exception_ptr(E(message));
}
template <class E>
std::exception_ptr without_message(const std::string&) {
  return std::make_exception_ptr(E());
}
/// Standard exceptions that a message says all of. Compared by exact type: a type derived from one is not it.
const std::array simple{
    Simple{typeid(std::logic_error), with_message<std::logic_error>},
    Simple{typeid(std::invalid_argument), with_message<std::invalid_argument>},
    Simple{typeid(std::domain_error), with_message<std::domain_error>},
    Simple{typeid(std::length_error), with_message<std::length_error>},
    Simple{typeid(std::out_of_range), with_message<std::out_of_range>},
    Simple{typeid(std::runtime_error), with_message<std::runtime_error>},
    Simple{typeid(std::range_error), with_message<std::range_error>},
    Simple{typeid(std::overflow_error), with_message<std::overflow_error>},
    Simple{typeid(std::underflow_error), with_message<std::underflow_error>},
    Simple{typeid(std::bad_alloc), without_message<std::bad_alloc>},
    Simple{typeid(std::bad_array_new_length), without_message<std::bad_array_new_length>},
    Simple{typeid(std::bad_cast), without_message<std::bad_cast>},
    Simple{typeid(std::bad_typeid), without_message<std::bad_typeid>},
    Simple{typeid(std::bad_exception), without_message<std::bad_exception>},
    Simple{typeid(std::bad_function_call), without_message<std::bad_function_call>},
    Simple{typeid(std::bad_optional_access), without_message<std::bad_optional_access>},
    Simple{typeid(std::bad_variant_access), without_message<std::bad_variant_access>},
    Simple{typeid(std::bad_any_cast), without_message<std::bad_any_cast>},
    Simple{typeid(std::bad_weak_ptr), without_message<std::bad_weak_ptr>},
    Simple{typeid(PayloadError), with_message<PayloadError>},
    Simple{typeid(chaos::Struck), with_message<chaos::Struck>},
};
enum Special : std::uint32_t { other = 1000, system_error, filesystem_error, ios_failure, regex_error };

/// Categories are told apart by address, so only those that every program has can be found again.
const std::error_category* category_called(const std::string& name) {
  for (const auto* category :
       {&std::generic_category(), &std::system_category(), &std::iostream_category(), &std::future_category()})
    if (name == category->name()) return category;
  return nullptr;
}

/// False: its number would mean another error to the host.
bool fill_code(Wire& wire, const std::error_code& code) {
  wire.code = code.value();
  wire.category = code.category().name();
  return category_called(wire.category) != nullptr;
}

void fill(Wire& wire, const std::exception& error) {
  const std::type_info& type = typeid(error);
  wire.message = error.what();
  for (std::size_t i = 0; i < simple.size(); ++i) {
    if (type == simple[i].type) wire.kind = static_cast<std::uint32_t>(i);
  }
  if (wire.kind != other) return;
  if (type == typeid(std::system_error)) {
    if (fill_code(wire, static_cast<const std::system_error&>(error).code())) wire.kind = system_error;
  } else if (type == typeid(std::ios_base::failure)) {
    if (fill_code(wire, dynamic_cast<const std::ios_base::failure&>(error).code())) wire.kind = ios_failure;
  } else if (type == typeid(std::regex_error)) {
    wire.kind = regex_error;
    wire.code = static_cast<const std::regex_error&>(error).code();
  } else if (type == typeid(std::filesystem::filesystem_error)) {
    const auto& failure = static_cast<const std::filesystem::filesystem_error&>(error);
    if (fill_code(wire, failure.code())) wire.kind = filesystem_error;
    wire.path1 = failure.path1();
    wire.path2 = failure.path2();
  }
}

std::error_code code_of(const Wire& wire) {
  const std::error_category* const category = category_called(wire.category);
  return {wire.code, category != nullptr ? *category : std::generic_category()};
}

/// what() of these is "<prefix>: <text of the code>"; their constructors add the text again.
std::string without_code_text(const Wire& wire) {
  const std::string tail = ": " + code_of(wire).message();
  if (!wire.message.ends_with(tail)) return wire.message;
  return wire.message.substr(0, wire.message.size() - tail.size());
}

std::exception_ptr build(const Wire& wire) {
  if (wire.kind < simple.size()) return simple[wire.kind].make(wire.message);
  switch (wire.kind) {
    case system_error:
      if (wire.message == code_of(wire).message()) return std::make_exception_ptr(std::system_error(code_of(wire)));
      return std::make_exception_ptr(std::system_error(code_of(wire), without_code_text(wire)));
    case ios_failure: return std::make_exception_ptr(std::ios_base::failure(without_code_text(wire), code_of(wire)));
    case regex_error:
      return std::make_exception_ptr(std::regex_error(static_cast<std::regex_constants::error_type>(wire.code)));
    case filesystem_error: {
      std::string prefix = wire.message.substr(0, wire.message.find(": " + code_of(wire).message()));
      if (prefix.starts_with("filesystem error: ")) prefix.erase(0, 18);
      // One made without a path does not show an empty one.
      if (wire.path2.empty() && wire.path1.empty() && !wire.message.ends_with(" []"))
        return std::make_exception_ptr(std::filesystem::filesystem_error(prefix, code_of(wire)));
      if (wire.path2.empty() && !wire.message.ends_with("] []"))
        return std::make_exception_ptr(std::filesystem::filesystem_error(prefix, wire.path1, code_of(wire)));
      return std::make_exception_ptr(std::filesystem::filesystem_error(prefix, wire.path1, wire.path2, code_of(wire)));
    }
    default:
      return std::make_exception_ptr(RemoteError(wire.type, wire.message, death::symbolise(wire.stack, wire.maps)));
  }
}

}  // namespace

[[gnu::no_sanitize("null")]] std::string encode_current_exception() {
  Wire wire;
  wire.kind = other;
  // WARNING: of what is no C++ exception (a thread's end, another language's) the ABI would read a type that is not there.
  if (std::current_exception() != nullptr)
    wire.type = death::demangle_type(abi::__cxa_current_exception_type()->name());
  try {
    throw;
  } catch (const abi::__forced_unwind&) {
    if (!worker::in_worker()) throw;
    worker::die_of_thread_exit();
  } catch (const std::exception& error) {
    fill(wire, error);
  } catch (const std::string& text) {
    wire.message = text;
  } catch (const char* text) {
    wire.message = text;
  } catch (...) {
    wire.message = "thrown object is no std::exception";
  }
  if (wire.kind == other) {
    for (void* frame : last_throw()) wire.stack.push_back(reinterpret_cast<std::uint64_t>(frame));
    if (!wire.stack.empty()) wire.maps = worker::executable_maps();
  }
  std::string bytes;
  ByteSink count({});
  write_value(count, nullptr, wire);
  bytes.resize(count.size());
  ByteSink sink(std::as_writable_bytes(std::span(bytes)));
  write_value(sink, nullptr, wire);
  return bytes;
}

std::exception_ptr decode_exception(std::span<const std::byte> bytes) {
  try {
    ByteSource source(bytes);
    return build(read_value<Wire>(source, nullptr));
  } catch (...) {
    return std::make_exception_ptr(PayloadError("the worker's exception cannot be read: its bytes are damaged"));
  }
}

}  // namespace hotspare::detail
