#pragma once

#include <hotspare/detail/call.hpp>
#include <hotspare/event.hpp>
#include <hotspare/export.hpp>
#include <hotspare/future.hpp>
#include <hotspare/map.hpp>
#include <hotspare/options.hpp>
#include <hotspare/stats.hpp>

#include <chrono>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <ranges>
#include <string>
#include <utility>
#include <vector>

namespace hotspare {

class Batch;
struct BatchOptions;

/// A pool of worker processes that a dying worker cannot break.
/// Threads: every member may be called from any thread at any time, but the destructor.
class HOTSPARE_API Pool {
 public:
  /// Throws Error: options out of range, or the start method is not possible here.
  explicit Pool(PoolOptions options = {});
  /// shutdown(true, false).
  ~Pool();
  Pool(Pool&&) noexcept;
  Pool& operator=(Pool&&) noexcept;

  /// Runs f(arguments...) in a worker. f: a function, a functor, or a lambda that captures nothing or only trivially
  /// copyable values (not references: they would refer to the worker's copy of this process).
  /// Throws PoolClosed, PoolBroken, QueueFull, and what the arguments' serialization throws.
  // enable_if, because clang 14 looks at a requires-clause only after the result type, which is an error by then.
  template <class F, class... A, std::enable_if_t<!std::is_same_v<std::decay_t<F>, TaskOptions>, int> = 0>
  auto submit(F&& f, A&&... arguments) -> Future<typename detail::CallTraits<F, A...>::Result> {
    using R = typename detail::CallTraits<F, A...>::Result;
    return Future<R>(detail::submit_call(*engine_, nullptr, f, arguments...));
  }
  template <class F, class... A>
  auto submit(const TaskOptions& options, F&& f, A&&... arguments)
      -> Future<typename detail::CallTraits<F, A...>::Result> {
    using R = typename detail::CallTraits<F, A...>::Result;
    return Future<R>(detail::submit_call(*engine_, &options, f, arguments...));
  }

  /// f(x) for each x of the range, results in the range's order, as an input range that takes from the input only
  /// what it needs to keep the workers busy: endless inputs are fine. A failed element throws where it is read;
  /// reading on gives the next ones. Destroying it cancels what has not begun. A range given as an lvalue must outlive it.
  template <class F, std::ranges::input_range Range>
  auto map(F f, Range&& range, MapOptions options = {}) {
    return MapView<F, Range, MapOrder::input>(engine_, usable_workers(), std::move(f), std::forward<Range>(range),
                                              std::move(options));
  }
  /// The same, results in the order in which they are ready.
  template <class F, std::ranges::input_range Range>
  auto map_unordered(F f, Range&& range, MapOptions options = {}) {
    return MapView<F, Range, MapOrder::completion>(engine_, usable_workers(), std::move(f), std::forward<Range>(range),
                                                   std::move(options));
  }

  /// A map whose results outlive everything: see batch.hpp, which has to be included.
  Batch batch(const std::filesystem::path& journal);
  Batch batch(const std::filesystem::path& journal, BatchOptions options);

  /// Shared memory of so many bytes, warm if there is some: fill it and pass it to tasks without a copy.
  Buffer buffer(std::size_t bytes);

  /// Takes no more tasks. cancel: drops those that have not begun. wait: returns when all tasks have settled and every
  /// process is gone; otherwise that happens in the background. May be called again.
  /// keep: so many of the oldest tasks, those that run among them, are spared by cancel.
  /// grace: if tasks are left after so long (from now; of several calls the earliest end counts), those that have not begun
  /// are cancelled, and those that run are killed: WorkerDied with Cause::cancelled, whatever their retry policy.
  /// A task that runs in the host (PoolOptions::run_in_host) cannot be killed.
  void shutdown(bool wait = true, bool cancel = false, std::size_t keep = 0,
                std::optional<std::chrono::nanoseconds> grace = std::nullopt);
  /// shutdown(true, true) with a grace of 0: returns when every process is gone.
  void kill() { shutdown(true, true, 0, std::chrono::nanoseconds(0)); }

  /// From now on so many workers (1 to 4096) run tasks at the same time. Surplus workers finish what they run, and leave.
  /// Throws Error, PoolClosed, PoolBroken.
  void resize(unsigned workers);

  Stats stats() const;
  /// Process ids of the workers that are ready to run tasks, then those of the spares. For tests and tools.
  std::vector<std::int64_t> worker_pids() const;
  /// Of the process that forks them; waits until there is one. 0: there is none any more.
  std::int64_t zygote_pid() const;
  /// Why no worker can be had any more (PoolBroken); empty while all is well.
  std::string broken() const;
  /// Process ids of all workers that were started and are not on their way out, oldest first. Waits until there are so
  /// many, or the pool closes or breaks.
  std::vector<std::int64_t> started_pids(std::size_t at_least = 0) const;
  /// For bindings to other languages: what hotspare/detail/task_ref.hpp works on.
  const std::shared_ptr<detail::Engine>& engine() const { return engine_; }

 private:
  friend class Batch;
  unsigned usable_workers() const;
  std::shared_ptr<detail::Engine> engine_;
};

}  // namespace hotspare
