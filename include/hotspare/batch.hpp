#pragma once

#include <hotspare/batch_view.hpp>
#include <hotspare/journal.hpp>
#include <hotspare/pool.hpp>

#include <cstddef>
#include <filesystem>
#include <functional>
#include <memory>
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
  std::string version{};
  Durability durability = Durability::process;
  Rerun rerun = Rerun::nothing;
  std::size_t window = 0;  ///< Tasks submitted ahead of the reader; 0: 64 a worker.
  /// For each task. Its name, if there is one, stands for the function's in the keys.
  TaskOptions task{};
  /// A journal of another user than this process's (or root) is refused: what it holds is taken for results of the batch,
  /// and Python unpickles it, which may run anything. True: that user is trusted.
  bool of_any_user = false;
  /// Called with what is worth knowing but no error: the journal lies on a network file system. Empty: to stderr.
  std::function<void(const std::string&)> on_warning{};
};

/// Counters of a Batch.
using BatchCounts = detail::BatchCounts;

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
    core_ = detail::BatchCore::open({journal.string(), options_.durability, static_cast<unsigned>(options_.rerun),
                                     options_.of_any_user, options_.on_warning});
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
                                             std::move(key), options_.version, options_.task, options_.window);
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
