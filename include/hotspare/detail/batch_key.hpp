#pragma once

#include <hotspare/detail/batch_core.hpp>
#include <hotspare/detail/call.hpp>

#include <array>
#include <cstddef>
#include <span>
#include <string>
#include <type_traits>
#include <typeinfo>
#include <vector>

/// Keys of what is asked: the same bytes in every run of the program.
namespace hotspare::detail {

/// In place of a user's key function: there is none.
struct ItemItself {};

/// The bytes of a copy whose padding is zero. Where the compiler cannot do that, padding that differs makes keys that differ:
/// a task is run again then, never mistaken for another.
template <class T>
std::array<std::byte, sizeof(T)> bytes_without_padding(const T& value) {
  struct Copy {
    T value;
  } copy{value};  // by its name: g++ refuses a pointer to a closure with a const member
#if defined(__has_builtin)
#if __has_builtin(__builtin_clear_padding)
  __builtin_clear_padding(&copy);
#endif
#endif
  std::array<std::byte, sizeof(T)> bytes;
  std::memcpy(bytes.data(), &copy, sizeof(T));
  return bytes;
}

template <class F>
KeyMaker keys_for(const F& f, const std::string& version, const std::string& name) {
  const void* target = nullptr;
  if constexpr (is_function_pointer<F>) target = reinterpret_cast<const void*>(f);
  const std::string function = name.empty() ? function_name(target, typeid(F).name()) : name;
  if constexpr (is_function_pointer<F> || std::is_empty_v<F>) {
    return KeyMaker(version, function);
  } else {
    return KeyMaker(version, function, bytes_without_padding(f));
  }
}

template <class A>
BatchKey key_of_value(const KeyMaker& keys, const A& value, bool given) {
  using T = CarriedT<A>;
  if constexpr (!Plain<T> && !View<T> && !Archived<T> && RawBytes<T>) {
    return keys.of(bytes_without_padding(value), given);
  } else {
    PackedValue attached;
    std::array<std::byte, inline_bytes> scratch;
    ByteSink sink(scratch);
    write_argument(sink, &attached, value);
    if (sink.fits()) return keys.of({scratch.data(), sink.size()}, given, attached.buffers);
    std::vector<std::byte> room(sink.size());
    ByteSink whole(room);
    attached.buffers.clear();
    write_argument(whole, &attached, value);
    return keys.of(room, given, attached.buffers);
  }
}

template <class KeyOf, class Item>
BatchKey key_of(const KeyMaker& keys, KeyOf& key, const Item& item) {
  if constexpr (std::is_same_v<KeyOf, ItemItself>) {
    return key_of_value(keys, item, false);
  } else {
    return key_of_value(keys, key(item), true);
  }
}

}  // namespace hotspare::detail
