#pragma once

#include <hotspare/chaos_how.hpp>
#include <hotspare/detail/call.hpp>
#include <hotspare/export.hpp>

#include <concepts>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

/// Faults on purpose, to test a batch of one's own against them: see docs/chaos.md.
///
///     const chaos::Chaos chaos{.seed = 7, .rate = 0.02, .how = {chaos::How::sigkill, chaos::How::raise}};
///     auto future = pool.submit(chaos::wrap(decode, chaos), path);
///     bool was_hit = chaos.choose(path).has_value();
namespace hotspare::chaos {

template <class T>
concept TextKey = std::convertible_to<const T&, std::string_view> || std::same_as<T, std::filesystem::path>;
/// What keys are: a whole number is its own key (modulo 2^64), text and paths are hashed.
template <class T>
concept Key = std::integral<T> || TextKey<T>;

/// FNV-1a with 64 bits (Fowler, Noll, Vo): the same everywhere.
HOTSPARE_API std::uint64_t hash(std::string_view bytes) noexcept;

template <Key T>
std::uint64_t key_of(const T& value) {
  if constexpr (std::integral<T>) {
    return static_cast<std::uint64_t>(value);
  } else if constexpr (std::same_as<T, std::filesystem::path>) {
    return hash(value.native());
  } else {
    return hash(value);
  }
}

/// Which tasks are struck, and how. Plain bytes: it travels with the task.
struct HOTSPARE_API Chaos {
  std::uint64_t seed = 0;   ///< Of what rate draws.
  double rate = 0;          ///< Part of the keys that is struck, 0 to 1; how is drawn, too.
  std::uint64_t every = 0;  ///< Keys that are a multiple of it are struck, by the ways of `how` in turn; 0: none.
  Hows how = How::sigkill;
  std::uint32_t attempts = 1;  ///< Only the first so many attempts of a task, so that retries end well; 0: all.
  std::uint64_t bytes = std::uint64_t{64} << 20;  ///< What one How::leak takes. No worker leaks more than 1 GiB: Error.

  /// How the task of this key is struck, if at all. Depends on seed, rate, every, how and the key alone: the same in each
  /// process, on each machine, in Python and in C++.
  std::optional<How> choose(std::uint64_t key) const noexcept;
  template <TextKey T>
  std::optional<How> choose(const T& key) const {
    return choose(key_of(key));
  }

  /// Throws Error if a field is out of range.
  void check() const;
  /// From "seed=7,rate=0.02,how=sigkill+hang": the fields' names, each at most once; what is not named keeps its default.
  /// Throws Error that says what is wrong, where, and what is allowed.
  static Chaos from_text(std::string_view text);
  /// from_text of this variable; one that strikes nothing if there is no such variable, or it is empty.
  static Chaos from_environment(const char* variable = "HOTSPARE_CHAOS");
  /// What from_text reads back: print it, so that a run can be repeated.
  std::string text() const;

  bool operator==(const Chaos&) const = default;
};

/// Does it, here and now, in the task that runs. bytes: as Chaos::bytes. WARNING: real deaths. Throws Error, and does
/// nothing, in a process that is no worker: your program is safe from it.
HOTSPARE_API void strike(How how, std::uint64_t bytes = Chaos{}.bytes);
/// strike, if the key is chosen and the attempt is not beyond Chaos::attempts.
HOTSPARE_API void strike_if_chosen(const Chaos& chaos, std::uint64_t key);

/// The key of a task is its first argument.
struct FirstArgument {
  template <Key First, class... Rest>
  std::uint64_t operator()(const First& first, const Rest&...) const {
    return key_of(first);
  }
};

/// A function or functor on its way to a worker, which may have been started afresh, with its functions elsewhere.
template <class F>
class Sent {
  static constexpr bool is_function = detail::is_function_pointer<F>;

 public:
  explicit Sent(F f) : f_(form(f)) {}
  template <class... A>
  std::invoke_result_t<F&, A...> operator()(A&&... arguments) {
    if constexpr (is_function) {
      return reinterpret_cast<F>(detail::resolve(f_))(std::forward<A>(arguments)...);
    } else {
      return std::invoke(f_, std::forward<A>(arguments)...);
    }
  }

 private:
  static auto form(F f) {
    if constexpr (is_function) {
      return detail::locate(reinterpret_cast<const void*>(f));
    } else {
      return f;
    }
  }
  std::conditional_t<is_function, detail::FunctionRef, F> f_;
};

/// What wrap returns.
template <class F, class KeyOf>
class Wrapped {
 public:
  Wrapped(F f, const Chaos& chaos, KeyOf key) : chaos_(chaos), key_(key), f_(f) {}

  template <class... A>
  std::invoke_result_t<F&, A...> operator()(A&&... arguments) {
    static_assert(
        std::is_invocable_v<KeyOf&, const std::remove_reference_t<A>&...>,
        "hotspare: the first argument of what chaos wraps must be a whole number, text or a path; else give wrap a "
        "third argument, a function that makes the key of the task's arguments");
    strike_if_chosen(chaos_, key_of(key_(std::as_const(arguments)...)));
    return f_(std::forward<A>(arguments)...);
  }

 private:
  Chaos chaos_;
  Sent<KeyOf> key_;
  Sent<F> f_;
};

/// f, to be submitted or mapped: strikes before it calls f, if the task is chosen. key: makes the key of a task from its
/// arguments. Throws Error as check().
template <class F, class KeyOf = FirstArgument>
Wrapped<std::decay_t<F>, KeyOf> wrap(F&& f, const Chaos& chaos, KeyOf key = {}) {
  chaos.check();
  return {std::forward<F>(f), chaos, key};
}

}  // namespace hotspare::chaos
