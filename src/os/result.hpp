#pragma once

#include "os/check.hpp"

#include <cerrno>
#include <string>
#include <utility>
#include <variant>

namespace hotspare::os {

/// Why a system call failed: its errno, and the call with its arguments for people.
struct Failure {
  int code = 0;
  std::string call;
  /// "memfd_create(\"hotspare\"): Too many open files (errno 24)"
  std::string text() const;
};

/// A value, or why there is none. A system call that failed is a value, never an exception.
template <class T>
class [[nodiscard]] Result {
 public:
  // NOLINTNEXTLINE(google-explicit-constructor): so that both can be returned as they are
  Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}
  // NOLINTNEXTLINE(google-explicit-constructor)
  Result(Failure failure) : state_(std::in_place_index<1>, std::move(failure)) {}
  explicit operator bool() const { return state_.index() == 0; }
  T& operator*() & { return value(); }
  T&& operator*() && { return std::move(value()); }
  T* operator->() { return &value(); }
  T& value() {
    HS_CHECK(state_.index() == 0);
    return std::get<0>(state_);
  }
  const Failure& failure() const {
    HS_CHECK(state_.index() == 1);
    return std::get<1>(state_);
  }

 private:
  std::variant<T, Failure> state_;
};

struct Done {};
using Status = Result<Done>;

/// The failure of the call that just set errno.
inline Failure failed(std::string call) { return Failure{errno, std::move(call)}; }

/// Runs a call again while a signal interrupts it.
template <class F>
auto retry(F call) {
  for (;;) {
    const auto result = call();
    if (result != static_cast<decltype(result)>(-1) || errno != EINTR) return result;
  }
}

/// The value; throws hotspare::Error with the failure's text. Only where the C++ edge translates.
template <class T>
T or_throw(Result<T> result, const char* what);

[[noreturn]] void throw_failure(const Failure& failure, const char* what);

template <class T>
T or_throw(Result<T> result, const char* what) {
  if (!result) throw_failure(result.failure(), what);
  return std::move(*result);
}

}  // namespace hotspare::os
