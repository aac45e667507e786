#pragma once

#include <hotspare/detail/call.hpp>
#include <hotspare/detail/standby_core.hpp>
#include <hotspare/serialize.hpp>

#include <array>
#include <concepts>
#include <cstddef>
#include <memory>
#include <span>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

/// Hides a processor's type: from it and its arguments to what travels to a replica, and back there.
namespace hotspare::detail {

template <class P>
concept BlockProcessor = requires(P processor, std::span<const std::byte> in, std::span<std::byte> out) {
  processor.process(in, out);
};
template <class P>
concept Saves = requires(const P& processor, std::span<std::byte> room) {
  { processor.save(room) } -> std::convertible_to<std::size_t>;
};
template <class P>
concept Loads = requires(P processor, std::span<const std::byte> state) {
  processor.load(state);
};

template <class P>
class BodyOf final : public ReplicaBody {
 public:
  template <class... A>
  explicit BodyOf(A&&... arguments) : processor_(std::forward<A>(arguments)...) {}
  void process(std::span<const std::byte> in, std::span<std::byte> out) override { processor_.process(in, out); }
  std::size_t save([[maybe_unused]] std::span<std::byte> room) override {
    if constexpr (Saves<P>) return processor_.save(room);
    return ReplicaBody::save(room);
  }
  void load([[maybe_unused]] std::span<const std::byte> state) override {
    if constexpr (Loads<P>) processor_.load(state);
  }

 private:
  P processor_;
};

template <class P, class... Args>
std::unique_ptr<ReplicaBody> make_body(std::span<const std::byte> bytes) {
  [[maybe_unused]] ByteSource source(bytes);
  std::tuple<ArrivingT<Args>...> arguments{read_value<ArrivingT<Args>>(source, nullptr)...};
  return std::apply([](auto&&... each) { return std::make_unique<BodyOf<P>>(std::forward<decltype(each)>(each)...); },
                    std::move(arguments));
}

template <class P, class... Args>
BodyKind body_of() {
  static_assert(Saves<P> == Loads<P>, "hotspare: a processor has both save and load, or neither");
  static_assert(((Transportable<Args> && !std::is_pointer_v<Args>)&&...),
                "hotspare: an argument's type cannot travel to another process. Give it a cereal function: "
                "template <class Archive> void serialize(Archive& ar) { ar(members...); }");
  static_assert(std::is_constructible_v<P, ArrivingT<Args>...>,
                "hotspare: the processor cannot be made from these arguments (they arrive as values)");
  return {locate(reinterpret_cast<const void*>(&make_body<P, Args...>)), Saves<P>};
}

template <class... A>
std::vector<std::byte> body_bytes(const A&... arguments) {
  ByteSink count({});
  (write_argument(count, nullptr, arguments), ...);
  std::vector<std::byte> bytes(count.size());
  ByteSink sink(bytes);
  (write_argument(sink, nullptr, arguments), ...);
  return bytes;
}

}  // namespace hotspare::detail
