#pragma once

#include <hotspare/detail/batch_core.hpp>
#include <hotspare/detail/batch_key.hpp>
#include <hotspare/detail/batch_pack.hpp>
#include <hotspare/map.hpp>
#include <hotspare/pool.hpp>

#include <algorithm>
#include <cstddef>
#include <deque>
#include <filesystem>
#include <functional>
#include <iterator>
#include <memory>
#include <optional>
#include <ranges>
#include <string>
#include <utility>

namespace hotspare {

/// Which failures that the journal has are run again instead of being given as they were. Combine with |.
enum class Rerun : unsigned {
  nothing = 0,
  raised = detail::RerunBits::raised,    ///< The task threw.
  died = detail::RerunBits::died,        ///< Its worker died, but for the two below.
  timeout = detail::RerunBits::timeout,  ///< It was ended at its deadline.
  memory = detail::RerunBits::memory,    ///< It was ended for memory: its own limit's, or by the kernel.
  failed = raised | died | timeout | memory,
};
constexpr Rerun operator|(Rerun a, Rerun b) {
  return static_cast<Rerun>(static_cast<unsigned>(a) | static_cast<unsigned>(b));
}

struct BatchOptions {
  /// What the results depend on besides function and item: change it when the function's meaning changes, and all is run anew.
  std::string version;
  Durability durability = Durability::process;
  Rerun rerun = Rerun::nothing;
  std::size_t window = 0;  ///< Tasks submitted ahead of the reader; 0: 64 a worker.
  /// For each task. Its name, if there is one, stands for the function's in the keys.
  TaskOptions task;
  /// Called with what is worth knowing but no error: the journal lies on a network file system. Empty: to stderr.
  std::function<void(const std::string&)> on_warning;
};

/// Counters of a Batch.
using BatchCounts = detail::BatchCounts;

/// What Batch::map returns: an input range over the results. Move-only; one reader. KeyOf: void, or gives an item's key.
template <class F, class Input, class KeyOf, MapOrder order>
class BatchView {
  using Range = std::remove_reference_t<Input>;
  using Item = std::ranges::range_value_t<Range>;
  using Callable = std::decay_t<F>;

 public:
  using Result = typename detail::CallTraits<F, Item>::Result;
  static_assert(!std::is_void_v<Result>, "hotspare: a batch needs a function that returns something");

  BatchView(std::shared_ptr<detail::Engine> engine, std::shared_ptr<detail::BatchCore> core, F f, Input&& input, KeyOf key,
            const BatchOptions& options, std::size_t window)
      : engine_(std::move(engine)),
        core_(std::move(core)),
        f_(std::move(f)),
        input_(std::forward<Input>(input)),
        key_of_(std::move(key)),
        keys_(detail::keys_for(f_, options.version, options.task.name)),
        task_(options.task),
        window_(window) {
    if constexpr (order == MapOrder::completion) queue_ = std::make_unique<detail::AnswerQueue>(core_);
  }
  BatchView(BatchView&&) noexcept = default;
  BatchView& operator=(BatchView&&) noexcept = default;
  BatchView(const BatchView&) = delete;
  BatchView& operator=(const BatchView&) = delete;
  /// Drops what has not begun. What runs is finished, and written as long as the batch is open.
  ~BatchView() {
    for (const auto& answer : pending_) core_->leave(answer);
  }

  class Iterator {
   public:
    using value_type = Result;
    using difference_type = std::ptrdiff_t;
    using iterator_concept = std::input_iterator_tag;
    Iterator() = default;
    explicit Iterator(BatchView* view) : view_(view) {}
    /// The result of this element; throws what its task threw, or WorkerDied: now, or in the run that wrote it.
    const Result& operator*() const { return view_->value(); }
    Iterator& operator++() {
      view_->advance();
      return *this;
    }
    void operator++(int) { ++*this; }
    bool operator==(std::default_sentinel_t) const { return view_->current_ == nullptr; }
    /// The journal had it before this batch began.
    bool was_kept() const { return view_->current_->was_kept(); }

   private:
    BatchView* view_ = nullptr;
  };

  /// Throws JournalError, PoolClosed, PoolBroken, as reading on does.
  Iterator begin() {
    if (!next_) {
      next_.emplace(std::ranges::begin(input_));
      advance();
    }
    return Iterator(this);
  }
  std::default_sentinel_t end() const { return {}; }

 private:
  friend class Iterator;

  /// Answers that are there already cost little; but an endless input must not be read on for ever.
  bool may_ask() const { return running_ < window_ && pending_.size() < 16 * window_; }

  void fill() {
    const auto last = std::ranges::end(input_);
    for (; may_ask() && *next_ != last; ++*next_) ask(**next_);
  }

  void ask(const Item& item) {
    const detail::BatchKey key = detail::key_of(keys_, key_of_, item);
    detail::AnswerRef answer = core_->find(key);
    if (answer == nullptr)
      answer = core_->add(key, detail::submit_call(*engine_, &task_, f_, item), detail::pack_of<Result>());
    if (answer->task()) ++running_;
    if constexpr (order == MapOrder::completion) queue_->watch(answer);
    pending_.push_back(std::move(answer));
  }

  void advance() {
    current_.reset();
    value_.reset();
    fill();
    if (pending_.empty()) return;
    if constexpr (order == MapOrder::input) {
      core_->wait(*pending_.front(), nullptr);
      current_ = std::move(pending_.front());
      pending_.pop_front();
    } else {
      current_ = queue_->take(nullptr);
      pending_.erase(std::find(pending_.begin(), pending_.end(), current_));
    }
    if (current_->task()) --running_;
  }

  const Result& value() {
    if (!value_) {
      if (auto error = current_->failure(); error != nullptr) std::rethrow_exception(error);
      detail::ByteSource source(current_->bytes());
      value_.emplace(detail::read_value<Result>(source, current_->attachments()));
    }
    return *value_;
  }

  std::shared_ptr<detail::Engine> engine_;
  std::shared_ptr<detail::BatchCore> core_;
  Callable f_;
  Input input_;
  KeyOf key_of_;
  detail::KeyMaker keys_;
  TaskOptions task_;
  std::size_t window_;
  std::optional<std::ranges::iterator_t<Range>> next_;
  std::deque<detail::AnswerRef> pending_;
  std::size_t running_ = 0;  ///< Of those, tasks.
  std::unique_ptr<detail::AnswerQueue> queue_;
  detail::AnswerRef current_;
  std::optional<Result> value_;
};

/// A map whose results outlive everything. Each result is written to a journal, an SQLite file, and given when it is committed
/// there: what you have been given is never run again. A batch with the same journal gives what the journal has and runs the
/// rest. Which is which is known by keys, hashes of version, function's name and item: never by positions. A task's failure
/// is an outcome, too, and kept with its report; see BatchOptions::rerun. Equal items are one question: asked once,
/// answered as often as it stands in the input.
/// Must not outlive its pool. Threads: any.
class Batch {
 public:
  /// Opens the journal, or makes it where there is no file. Throws JournalError.
  Batch(Pool& pool, const std::filesystem::path& journal, BatchOptions options = {})
      : pool_(&pool), options_(std::move(options)) {
    core_ = detail::BatchCore::open(
        {journal.string(), options_.durability, static_cast<unsigned>(options_.rerun), options_.on_warning});
    if (options_.window == 0) options_.window = std::size_t{64} * pool.usable_workers();
  }

  /// f(x) for each x of the range, in the range's order. A failed element throws where it is read; reading on gives the next.
  /// Takes from the input only what keeps the workers busy. A range given as an lvalue must outlive the view.
  template <class F, std::ranges::input_range Range>
  auto map(F f, Range&& range) {
    return view<MapOrder::input>(std::move(f), std::forward<Range>(range), detail::ItemItself{});
  }
  /// key(x), of any type that can be sent, stands for the item in the keys: for items that are large, or not equal to
  /// themselves byte by byte in another run (unordered containers).
  template <class F, std::ranges::input_range Range, class KeyOf>
  auto map(F f, Range&& range, KeyOf key) {
    return view<MapOrder::input>(std::move(f), std::forward<Range>(range), std::move(key));
  }
  /// The same, results as they come.
  template <class F, std::ranges::input_range Range>
  auto as_completed(F f, Range&& range) {
    return view<MapOrder::completion>(std::move(f), std::forward<Range>(range), detail::ItemItself{});
  }
  template <class F, std::ranges::input_range Range, class KeyOf>
  auto as_completed(F f, Range&& range, KeyOf key) {
    return view<MapOrder::completion>(std::move(f), std::forward<Range>(range), std::move(key));
  }

  BatchCounts counts() const { return core_->counts(); }
  /// Waits for the tasks that run and writes their outcomes, then closes the journal: afterwards it is one file on the disk,
  /// which can be copied. Throws JournalError. The destructor writes what has settled, does not wait, and throws nothing.
  void close() { core_->close(true); }

 private:
  template <MapOrder order, class F, class Range, class KeyOf>
  auto view(F f, Range&& range, KeyOf key) {
    return BatchView<F, Range, KeyOf, order>(pool_->engine(), core_, std::move(f), std::forward<Range>(range),
                                             std::move(key), options_, options_.window);
  }

  Pool* pool_;
  BatchOptions options_;
  std::shared_ptr<detail::BatchCore> core_;
};

inline Batch Pool::batch(const std::filesystem::path& journal) { return Batch(*this, journal); }
inline Batch Pool::batch(const std::filesystem::path& journal, BatchOptions options) {
  return Batch(*this, journal, std::move(options));
}

}  // namespace hotspare
