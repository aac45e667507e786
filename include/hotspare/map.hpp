#pragma once

#include <hotspare/detail/call.hpp>
#include <hotspare/future.hpp>

#include <cstddef>
#include <deque>
#include <iterator>
#include <memory>
#include <optional>
#include <ranges>
#include <tuple>
#include <unordered_map>
#include <utility>
#include <vector>

namespace hotspare {

struct MapOptions {
  std::size_t chunk = 1;   ///< Elements per task, at least 1. A worker's death costs the whole chunk.
  std::size_t window = 0;  ///< Chunks submitted ahead of the reader; 0: 64 a worker.
  TaskOptions task;        ///< For each chunk.
};

enum class MapOrder : unsigned char { input, completion };

namespace detail {

/// A callable as an argument: a function pointer inside is carried as a place in its module.
template <class F>
struct CallableBox {
  F f;
};

template <class F, class T, class R>
struct RunChunk {
  std::vector<R> operator()(CallableBox<F> box, std::vector<T> items) const {
    std::vector<R> results;
    results.reserve(items.size());
    for (T& item : items) results.push_back(box.f(std::move(item)));
    return results;
  }
};

template <class F>
  requires is_function_pointer<F>
void CEREAL_SAVE_FUNCTION_NAME(PayloadWriter& ar, const CallableBox<F>& box) {
  const FunctionRef reference = locate(reinterpret_cast<const void*>(box.f));
  ar.put(&reference, sizeof reference);
}
template <class F>
  requires is_function_pointer<F>
void CEREAL_LOAD_FUNCTION_NAME(PayloadReader& ar, CallableBox<F>& box) {
  FunctionRef reference;
  ar.take(&reference, sizeof reference);
  box.f = reinterpret_cast<F>(resolve(reference));
}

}  // namespace detail

/// What Pool::map returns: an input range over the results. Move-only; one reader.
/// Input is T& for a range that lives elsewhere, T for one that was handed over (std::views::all would do, but clang 14
/// cannot read libstdc++'s).
template <class F, class Input, MapOrder order>
class MapView {
  using Range = std::remove_reference_t<Input>;
  using Item = std::ranges::range_value_t<Range>;
  using Callable = std::decay_t<F>;

 public:
  using Result = typename detail::CallTraits<F, Item>::Result;
  // Asked here, before overload resolution asks: g++ 12 then says no for a lambda that captures, and keeps to it.
  static_assert(detail::Transportable<detail::CallableBox<Callable>>, "hotspare: map cannot send this callable");
  static_assert(!std::is_void_v<Result>, "hotspare: map needs a function that returns something; use submit");

  MapView(std::shared_ptr<detail::Engine> engine, unsigned workers, F f, Input&& input, MapOptions options)
      : engine_(std::move(engine)), f_(std::move(f)), input_(std::forward<Input>(input)), options_(std::move(options)) {
    if (options_.chunk == 0) throw Error("map: chunk must be at least 1");
    if (options_.window == 0) options_.window = std::size_t{64} * workers;
    if constexpr (order == MapOrder::completion) completions_ = std::make_unique<detail::Completions>(*engine_);
  }
  MapView(MapView&&) noexcept = default;
  MapView& operator=(MapView&&) noexcept = default;
  MapView(const MapView&) = delete;
  MapView& operator=(const MapView&) = delete;
  ~MapView() {
    for (auto& chunk : pending_) chunk.cancel();
    for (auto& [id, chunk] : unordered_) chunk.cancel();
  }

  class Iterator {
   public:
    using value_type = Result;
    using difference_type = std::ptrdiff_t;
    using iterator_concept = std::input_iterator_tag;
    Iterator() = default;
    explicit Iterator(MapView* view) : view_(view) {}
    /// The result of this element; throws what its task threw, or WorkerDied.
    const Result& operator*() const { return view_->current(); }
    Iterator& operator++() {
      view_->advance();
      return *this;
    }
    void operator++(int) { ++*this; }
    bool operator==(std::default_sentinel_t) const { return view_->at_end(); }

   private:
    MapView* view_ = nullptr;
  };

  Iterator begin() {
    if (!next_) {
      next_.emplace(std::ranges::begin(input_));
      fill();
      load();
    }
    return Iterator(this);
  }
  std::default_sentinel_t end() const { return {}; }

 private:
  friend class Iterator;
  using Chunk = Future<std::vector<Result>>;

  bool at_end() const { return !loaded_; }
  std::size_t in_flight() const { return order == MapOrder::input ? pending_.size() : unordered_.size(); }

  void fill() {
    const auto last = std::ranges::end(input_);
    while (in_flight() < options_.window && *next_ != last) {
      std::vector<Item> items;
      for (; items.size() < options_.chunk && *next_ != last; ++*next_) items.push_back(**next_);
      Chunk chunk(detail::submit_call(*engine_, &options_.task, detail::RunChunk<Callable, Item, Result>{},
                                      detail::CallableBox<Callable>{f_}, items));
      if constexpr (order == MapOrder::input) {
        pending_.push_back(std::move(chunk));
      } else {
        completions_->watch(chunk.task());
        unordered_.emplace(chunk.task_id(), std::move(chunk));
      }
    }
  }

  /// Takes the next chunk up, if there is one.
  void load() {
    loaded_.reset();
    position_ = 0;
    values_.reset();
    if (in_flight() == 0) return;
    if constexpr (order == MapOrder::input) {
      loaded_ = std::move(pending_.front());
      pending_.pop_front();
    } else {
      const detail::TaskRef task = completions_->take();
      auto node = unordered_.extract(detail::task_id(*task));
      loaded_ = std::move(node.mapped());
    }
  }

  const Result& current() {
    if (!values_) values_ = loaded_->get();
    return values_->at(position_);
  }

  void advance() {
    if (!values_ && loaded_->outcome().ok()) values_ = loaded_->get();
    if (values_ && ++position_ < values_->size()) return;
    load();
    fill();
    if (!loaded_) load();
  }

  std::shared_ptr<detail::Engine> engine_;
  Callable f_;
  Input input_;
  MapOptions options_;
  std::optional<std::ranges::iterator_t<Range>> next_;
  std::deque<Chunk> pending_;
  std::unordered_map<std::uint64_t, Chunk> unordered_;
  std::unique_ptr<detail::Completions> completions_;
  std::optional<Chunk> loaded_;
  std::optional<std::vector<Result>> values_;
  std::size_t position_ = 0;
};

}  // namespace hotspare
