#pragma once

#include <hotspare/detail/holds_address.hpp>
#include <hotspare/detail/task_ref.hpp>
#include <hotspare/serialize.hpp>

#include <array>
#include <tuple>
#include <type_traits>
#include <typeinfo>
#include <utility>

namespace hotspare::detail {

/// What an argument of type A is on its way: C strings become strings, references values.
template <class A>
struct Carried {
  using type = std::decay_t<A>;
};
template <class A>
  requires(std::is_same_v<std::decay_t<A>, const char*> || std::is_same_v<std::decay_t<A>, char*>)
struct Carried<A> {
  using type = std::string;
};
template <class A>
using CarriedT = typename Carried<A>::type;

/// A span<T> over mutable elements arrives as span<const T>: arguments are read-only in the worker.
template <class T>
struct Arriving {
  using type = T;
};
template <class T>
struct Arriving<std::span<T>> {
  using type = std::span<const T>;
};
template <class T>
using ArrivingT = typename Arriving<T>::type;

template <class F>
inline constexpr bool is_function_pointer = (std::is_pointer_v<F> && std::is_function_v<std::remove_pointer_t<F>>);

template <class F>
void write_callable(ByteSink& sink, const F& f) {
  if constexpr (is_function_pointer<F>) {
    const FunctionRef reference = locate(reinterpret_cast<const void*>(f));
    sink.put(&reference, sizeof reference);
  } else if constexpr (!std::is_empty_v<F>) {
    sink.put(&f, sizeof f);
  }
}

/// The compiler looked at the members of aggregates (holds_address). Captures, and members that are private, are bytes: of
/// these each aligned word is looked at, padding left out.
template <class T>
void refuse_addresses_in(const Engine& engine, const T& value) {
  if constexpr (std::is_class_v<T> && !std::is_empty_v<T> && std::is_trivially_copyable_v<T> &&
                alignof(T) >= alignof(void*)) {
#if __has_builtin(__builtin_clear_padding)
    if constexpr (std::is_copy_constructible_v<T>) {
      T copy(value);
      __builtin_clear_padding(&copy);
      return refuse_addresses(engine, std::as_bytes(std::span(&copy, 1)), typeid(T).name());
    }
#endif
    if constexpr (std::has_unique_object_representations_v<T>)
      refuse_addresses(engine, std::as_bytes(std::span(&value, 1)), typeid(T).name());
  }
}

/// Holds a callable that came as bytes.
template <class F>
class ReceivedCallable {
 public:
  explicit ReceivedCallable(ByteSource& source) {
    if constexpr (is_function_pointer<F>) {
      FunctionRef reference;
      source.take(&reference, sizeof reference);
      const F f = reinterpret_cast<F>(resolve(reference));
      std::memcpy(storage_, &f, sizeof f);
    } else if constexpr (!std::is_empty_v<F>) {
      source.take(storage_, sizeof(F));
    }
  }
  F& get() { return *std::launder(reinterpret_cast<F*>(storage_)); }

 private:
  alignas(F) std::byte storage_[sizeof(F)]{};
};

inline constexpr std::size_t inline_bytes = 128;

template <class R>
void give_result(TaskContext& context, const R& result) {
  std::array<std::byte, inline_bytes> scratch;
  ByteSink sink(scratch);
  write_value(sink, &context, result);
  std::byte* room = context.reserve_result(sink.size());
  if (sink.fits()) {
    std::memcpy(room, scratch.data(), sink.size());
    return;
  }
  ByteSink direct({room, sink.size()});
  write_value(direct, &context, result);
}

/// The code that runs in the worker for one kind of call.
template <class F, class R, class... Args>
struct Call {
  static void run(TaskContext& context) {
    ByteSource source(context.arguments());
    ReceivedCallable<F> callable(source);
    std::tuple<ArrivingT<Args>...> arguments{read_value<ArrivingT<Args>>(source, &context)...};
    if constexpr (std::is_void_v<R>) {
      std::apply(callable.get(), std::move(arguments));
    } else {
      give_result<R>(context, std::apply(callable.get(), std::move(arguments)));
    }
  }
  static const CallSite& site() {
    static const CallSite site{locate(reinterpret_cast<const void*>(&run)), typeid(F).name()};
    return site;
  }
};

template <class F, class... A>
struct CallTraits {
  using Callable = std::decay_t<F>;
  static_assert(is_function_pointer<Callable> || std::is_class_v<Callable>,
                "hotspare: the task must be a function, a functor or a lambda");
  static_assert(is_function_pointer<Callable> || std::is_trivially_copyable_v<Callable>,
                "hotspare: the task's lambda or functor captures something that cannot be sent as raw bytes "
                "(a std::string, a container, a smart pointer): pass it as an argument instead");
  static_assert(
      is_function_pointer<Callable> || !holds_address<Callable>(),
      "hotspare: the task's functor holds an address (a pointer, a reference, a string_view or a span), which means "
      "nothing in another process: pass what it points to as an argument, or hold hotspare::inherited(pointer)");
  static_assert((!std::is_pointer_v<CarriedT<A>> && ...),
                "hotspare: a pointer means nothing in another process: pass the value, a span or a string");
  static_assert(((std::is_pointer_v<CarriedT<A>> || Transportable<CarriedT<A>>)&&...),
                "hotspare: an argument's type cannot travel to another process. Give it a cereal function: "
                "template <class Archive> void serialize(Archive& ar) { ar(members...); }");
  static_assert(std::is_invocable_v<Callable&, ArrivingT<CarriedT<A>>...>,
                "hotspare: the task cannot be called with these arguments (they arrive as values: a parameter "
                "of type T& cannot take them, T, T&& or const T& can)");
  using Raw = std::invoke_result_t<Callable&, ArrivingT<CarriedT<A>>...>;
  using Result = std::remove_cvref_t<Raw>;
  static_assert(!View<Result>,
                "hotspare: a span or string_view result would point into a worker: return a "
                "vector, string or hotspare::Buffer");
  static_assert(!std::is_pointer_v<Result>, "hotspare: a pointer result means nothing in the host");
  using CallType = Call<Callable, Result, CarriedT<A>...>;
};

template <class A>
void write_argument(ByteSink& sink, Attachments* attachments, const A& argument) {
  using T = CarriedT<A>;
  if constexpr (std::is_same_v<T, std::string> && !std::is_same_v<std::decay_t<A>, std::string>) {
    write_value<std::string>(sink, attachments, std::string(argument));
  } else {
    write_value<T>(sink, attachments, argument);
  }
}

template <class A>
void refuse_addresses_in_argument([[maybe_unused]] const Engine& engine, [[maybe_unused]] const A& argument) {
  if constexpr (travels_as_bytes<CarriedT<A>>) refuse_addresses_in(engine, argument);
}

/// What a map element has behind it that is submitted to be run again.
struct Earlier {
  std::shared_ptr<const CrashReport> report;
  std::span<const std::byte> thrown;
  bool made_room = false;  ///< It was ended for others' sake: that was no attempt.
};

/// Submits a call whose arguments write_all(sink, attachments) writes, the same each time. Plain: without attachments.
template <bool plain, class Write>
TaskRef submit_written(Engine& engine, const CallSite& site, const void* target, const TaskOptions* options,
                       const Write& write_all, const Earlier* earlier = nullptr) {
  std::array<std::byte, inline_bytes> scratch;
  ByteSink sink(scratch);
  const auto submit = [&](auto* buffers) {
    write_all(sink, buffers);
    if (sink.fits() && earlier == nullptr)
      return submit_bytes(engine, site, target, options, {scratch.data(), sink.size()}, buffers);
    if (buffers != nullptr) buffers->rewind();
    std::byte* room = nullptr;
    TaskRef task = prepare(engine, site, target, options, sink.size(), room);
    ByteSink direct({room, sink.size()});
    write_all(direct, buffers);
    if (earlier != nullptr && earlier->made_room) {
      submit_alone(engine, task, buffers);
    } else if (earlier != nullptr) {
      submit_failed(engine, task, buffers, earlier->report, earlier->thrown);
    } else {
      submit_prepared(engine, task, buffers);
    }
    return task;
  };
  if constexpr (plain) {
    return submit(static_cast<ArgumentBuffers*>(nullptr));
  } else {
    ArgumentBuffers buffers;
    return submit(&buffers);
  }
}

/// earlier: of its first attempt, as a part of another task.
template <class F, class... A>
TaskRef submit_call_after(Engine& engine, const TaskOptions* options, const Earlier* earlier, const F& f,
                          const A&... arguments) {
  using Traits = CallTraits<F, A...>;
  using Callable = typename Traits::Callable;
  const Callable& callable = f;
  const CallSite& site = Traits::CallType::site();
  const void* target = nullptr;
  if constexpr (is_function_pointer<Callable>) target = reinterpret_cast<const void*>(callable);
  constexpr bool plain = ((Plain<CarriedT<A>> || View<CarriedT<A>>)&&...);
  refuse_addresses_in(engine, callable);
  (refuse_addresses_in_argument(engine, arguments), ...);
  return submit_written<plain>(
      engine, site, target, options,
      [&](ByteSink& sink, [[maybe_unused]] Attachments* attachments) {
        write_callable(sink, callable);
        (write_argument(sink, attachments, arguments), ...);
      },
      earlier);
}

template <class F, class... A>
TaskRef submit_call(Engine& engine, const TaskOptions* options, const F& f, const A&... arguments) {
  return submit_call_after(engine, options, nullptr, f, arguments...);
}

}  // namespace hotspare::detail
