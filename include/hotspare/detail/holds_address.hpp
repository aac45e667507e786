#pragma once

#include <cstddef>
#include <functional>
#include <span>
#include <string_view>
#include <type_traits>
#include <utility>

/// Whether a type's raw bytes would hold an address, as far as the compiler can tell: of aggregates it looks at each member.
namespace hotspare::detail {

template <class T>
struct IsAddress : std::bool_constant<std::is_pointer_v<T> || std::is_reference_v<T>> {};
template <>
struct IsAddress<std::string_view> : std::true_type {};
template <class T, std::size_t n>
struct IsAddress<std::span<T, n>> : std::true_type {};
template <class T>
struct IsAddress<std::reference_wrapper<T>> : std::true_type {};

template <class T>
constexpr bool holds_address();

/// Can become a member of any type.
struct AnyMember {
  template <class T>
  operator T() const;  // NOLINT(google-explicit-constructor): that is the point
};
/// Can become a member only if that holds an address.
struct AddressMember {
  template <class T>
    requires(holds_address<T>())
  operator T() const;  // NOLINT(google-explicit-constructor)
};
/// Can become what only an object that has a name is bound to.
struct NamedMember {
  template <class T>
  operator T&() const;  // NOLINT(google-explicit-constructor)
};

template <class T, class Last, std::size_t... before>
constexpr bool can_begin_with(std::index_sequence<before...>) {
  return requires { T{(static_cast<void>(before), AnyMember{})..., Last{}}; };
}

/// From the n-th member on. A member that cannot be looked at ends the look, unless it may be for a reference further on,
/// which is never left out.
template <class T, std::size_t n>
constexpr bool member_holds_address() {
  constexpr std::size_t most = 32;
  constexpr auto before = std::make_index_sequence<n>{};
  if constexpr (n == most || n >= sizeof(T)) {
    return false;
  } else if constexpr (can_begin_with<T, AddressMember>(before) ||
                       (!can_begin_with<T, AnyMember>(before) && can_begin_with<T, NamedMember>(before))) {
    return true;
  } else if constexpr (can_begin_with<T, AnyMember>(before)) {
    return member_holds_address<T, n + 1>();
  } else {
    return !std::is_copy_assignable_v<T> && member_holds_address<T, n + 1>();
  }
}

template <class T>
constexpr bool holds_address() {
  if constexpr (IsAddress<T>::value) {
    return true;
  } else if constexpr (std::is_array_v<T>) {
    return holds_address<std::remove_all_extents_t<T>>();
  } else if constexpr (std::is_aggregate_v<T> && std::is_class_v<T> && std::is_trivially_copyable_v<T>) {
    return member_holds_address<T, 0>();
  } else {
    return false;
  }
}

}  // namespace hotspare::detail
