#pragma once

#include <hotspare/detail/chunk.hpp>
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
  /// Elements per task, at least 1. Each has an outcome of its own: a worker's death is that of the element which it was
  /// running; those before it keep their results, those behind it are run by another worker.
  std::size_t chunk = 1;
  std::size_t window = 0;  ///< Chunks submitted ahead of the reader; 0: 64 a worker.
  TaskOptions task{};      ///< For each chunk; its times and retries are for each element.
};

enum class MapOrder : unsigned char { input, completion };

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
    for (const Chunk& chunk : pending_) detail::cancel(chunk.task(), false);
    for (const auto& [id, chunk] : unordered_) detail::cancel(chunk.task(), false);
  }

  class Iterator {
   public:
    using value_type = Result;
    using difference_type = std::ptrdiff_t;
    using iterator_concept = std::input_iterator_tag;
    Iterator() = default;
    explicit Iterator(MapView* view) : view_(view) {}
    /// The result of this element; throws what its task threw, or WorkerDied.
    const Result& operator*() const { return view_->loaded_->value(); }
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
      advance();
    }
    return Iterator(this);
  }
  std::default_sentinel_t end() const { return {}; }

 private:
  friend class Iterator;
  using Chunk = detail::Chunk<Item, Result>;
  using ChunkCall = detail::ChunkCall<Callable, Item, Result>;

  bool at_end() const { return !loaded_; }
  std::size_t in_flight() const { return order == MapOrder::input ? pending_.size() : unordered_.size(); }

  void fill() {
    const auto last = std::ranges::end(input_);
    while (in_flight() < options_.window && *next_ != last) {
      std::vector<Item> items;
      for (; items.size() < options_.chunk && *next_ != last; ++*next_) items.push_back(**next_);
      Chunk chunk = submit(std::move(items));
      if constexpr (order == MapOrder::input) {
        pending_.push_back(std::move(chunk));
      } else {
        add_unordered(std::move(chunk));
      }
    }
  }

  Chunk submit(std::vector<Item> items) {
    detail::refuse_addresses_in(*engine_, f_);
    for (const Item& item : items) detail::refuse_addresses_in_argument(*engine_, item);
    const void* target = nullptr;
    if constexpr (detail::is_function_pointer<Callable>) target = reinterpret_cast<const void*>(f_);
    constexpr bool plain = detail::Plain<Item> || detail::View<Item>;
    detail::TaskRef task = detail::submit_written<plain>(*engine_, ChunkCall::site(), target, &options_.task,
                                                         [&](detail::ByteSink& sink, detail::Attachments* buffers) {
                                                           detail::write_callable(sink, f_);
                                                           const std::uint64_t count = items.size();
                                                           sink.put(&count, sizeof count);
                                                           for (const Item& item : items)
                                                             detail::write_value<Item>(sink, buffers, item);
                                                         });
    return Chunk(std::move(task), std::move(items));
  }

  void add_unordered(Chunk chunk) {
    const detail::TaskRef task = chunk.task();
    unordered_.emplace(detail::task_id(*task), std::move(chunk));
    completions_->watch(task);
  }

  /// Takes the next chunk up, if there is one.
  void load() {
    loaded_.reset();
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

  /// To the next element that has an outcome.
  void advance() {
    while (loaded_) {
      if (!loaded_->next()) {
        rerun(loaded_->unbegun());
        load();
        fill();
        if (!loaded_) load();
      } else if (!is_to_run_again() || !run_again()) {
        return;
      }
    }
  }

  bool is_to_run_again() const {
    return loaded_->made_room() || (options_.task.retries.attempts > 1 && loaded_->may_be_run_again());
  }

  /// The current element has failed, or was ended to make room: by itself it gets the attempts that its policy allows. False:
  /// the pool takes no more, so what has failed has failed for good.
  bool run_again() {
    const detail::Earlier earlier = loaded_->earlier();
    detail::TaskRef task;
    try {
      task = detail::submit_call_after(*engine_, &options_.task, &earlier, f_, loaded_->item());
    } catch (const PoolClosed&) {
      return false;
    } catch (const PoolBroken&) {
      return false;
    }
    Chunk alone(std::move(task), loaded_->item());
    if constexpr (order == MapOrder::input) {
      pending_.push_front(std::move(*loaded_));
      loaded_ = std::move(alone);
    } else {
      add_unordered(std::move(alone));
    }
    return true;
  }

  /// Those behind an element that killed its worker go first, to another one.
  void rerun(std::vector<Item> items) {
    if (items.empty()) return;
    Chunk chunk = submit(std::move(items));
    if constexpr (order == MapOrder::input) {
      pending_.push_front(std::move(chunk));
    } else {
      add_unordered(std::move(chunk));
    }
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
};

}  // namespace hotspare
