#pragma once

#include <hotspare/detail/batch_core.hpp>
#include <hotspare/detail/batch_key.hpp>
#include <hotspare/detail/batch_pack.hpp>
#include <hotspare/map.hpp>
#include <hotspare/options.hpp>

#include <algorithm>
#include <cstddef>
#include <deque>
#include <iterator>
#include <memory>
#include <optional>
#include <ranges>
#include <string>
#include <utility>

namespace hotspare {

/// What Batch::map returns: an input range over the results. Move-only; one reader. KeyOf: void, or gives an item's key.
template <class F, class Input, class KeyOf, MapOrder order>
class BatchView {
  using Range = std::remove_reference_t<Input>;
  using Item = std::ranges::range_value_t<Range>;
  using Callable = std::decay_t<F>;

 public:
  using Result = typename detail::CallTraits<F, Item>::Result;
  static_assert(!std::is_void_v<Result>, "hotspare: a batch needs a function that returns something");

  BatchView(std::shared_ptr<detail::Engine> engine, std::shared_ptr<detail::BatchCore> core, F f, Input&& input,
            KeyOf key, const std::string& version, TaskOptions task, std::size_t window)
      : engine_(std::move(engine)),
        core_(std::move(core)),
        f_(std::move(f)),
        input_(std::forward<Input>(input)),
        key_of_(std::move(key)),
        keys_(detail::keys_for(f_, version, task.name)),
        task_(std::move(task)),
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
      core_->wait(*pending_.front());
      current_ = std::move(pending_.front());
      pending_.pop_front();
    } else {
      current_ = queue_->take();
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

}  // namespace hotspare
