#pragma once

#include <hotspare/detail/task_ref.hpp>

#include <chrono>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <type_traits>
#include <utility>

namespace hotspare {

/// What cancel may do to a task that already runs.
enum class Cancel : unsigned char {
  queued,  ///< Nothing: only a task that has not begun is cancelled.
  kill,    ///< End its worker; a spare takes over.
};

/// How a task ended, without exceptions: look at it, or let value() throw.
template <class R>
class Outcome {
 public:
  enum class Kind : unsigned char { value = 1, raised, died, cancelled, refused };

  Kind kind() const { return kind_; }
  bool ok() const { return kind_ == Kind::value; }
  /// The value; throws what Future::get would throw if there is none.
  const auto& value() const {
    if (error_) std::rethrow_exception(error_);
    if constexpr (!std::is_void_v<R>) {
      return *value_;
    } else {
      return *this;
    }
  }
  std::exception_ptr error() const { return error_; }                           ///< Null if ok().
  const std::shared_ptr<const CrashReport>& report() const { return report_; }  ///< Set if kind() is died.

 private:
  template <class>
  friend class Future;
  struct Nothing {};
  Kind kind_{};
  std::optional<std::conditional_t<std::is_void_v<R>, Nothing, R>> value_;
  std::exception_ptr error_;
  std::shared_ptr<const CrashReport> report_;
};

/// The outcome of one task, now or later. A handle: copies mean the same task. It may outlive its pool.
/// Threads: any, at the same time.
template <class R>
class Future {
 public:
  Future() = default;
  explicit Future(detail::TaskRef task) : task_(std::move(task)) {}
  bool valid() const { return static_cast<bool>(task_); }

  /// Waits, then returns the value (decoded anew at each call) or throws: the task's own exception if it was of a
  /// standard type, RemoteError for another, WorkerDied, Cancelled, PoolBroken, PayloadError. In a fork of the host only what
  /// had settled before it can be had; whatever would have to wait throws Error there.
  R get() const {
    wait();
    if (detail::ending(*task_) != detail::Ending::value) std::rethrow_exception(detail::failure(*task_));
    if constexpr (!std::is_void_v<R>) return decode();
  }
  void wait() const {
    if (!ready()) detail::wait(task_, std::chrono::nanoseconds(-1));
  }
  /// False if it is not ready after this time.
  template <class Rep, class Period>
  bool wait_for(std::chrono::duration<Rep, Period> timeout) const {
    using std::chrono::nanoseconds;
    if (ready()) return true;
    if (timeout <= timeout.zero()) return false;
    // A time that no clock reaches would not fit into nanoseconds.
    if (std::chrono::duration<double>(timeout) > std::chrono::hours(24 * 36'500)) {
      wait();
      return true;
    }
    return detail::wait(task_, std::chrono::ceil<nanoseconds>(timeout));
  }
  bool ready() const { return detail::is_ready(*task_); }
  /// True if the task will end (or has ended) as cancelled.
  bool cancel(Cancel what = Cancel::queued) const { return detail::cancel(task_, what == Cancel::kill); }
  /// Waits, then says how the task ended. Throws nothing but bad_alloc (and Error where get() may not wait).
  Outcome<R> outcome() const {
    wait();
    Outcome<R> outcome;
    outcome.kind_ = static_cast<typename Outcome<R>::Kind>(detail::ending(*task_));
    outcome.report_ = detail::crash_report(*task_);
    if (outcome.kind_ != Outcome<R>::Kind::value) {
      outcome.error_ = detail::failure(*task_);
      return outcome;
    }
    try {
      if constexpr (std::is_void_v<R>) {
        outcome.value_.emplace();
      } else {
        outcome.value_.emplace(decode());
      }
    } catch (...) {
      outcome.kind_ = Outcome<R>::Kind::refused;
      outcome.error_ = std::current_exception();
    }
    return outcome;
  }
  /// Calls back once when the task has settled, on a thread of the pool's that only runs callbacks (at once, on
  /// this thread, if it has settled already). What it throws on that thread is told on stderr and goes no further. It may
  /// destroy the pool.
  void on_done(std::function<void(const Future&)> callback) const {
    detail::on_done(task_, [self = *this, callback = std::move(callback)] { callback(self); });
  }
  /// What the task last told by hotspare::progress(); nothing while it does not run.
  std::optional<Progress> progress() const { return detail::progress_of(task_); }
  std::uint64_t task_id() const { return detail::task_id(*task_); }
  const detail::TaskRef& task() const { return task_; }

 private:
  R decode() const {
    detail::ByteSource source(detail::result_bytes(*task_));
    return detail::read_value<R>(source, detail::result_attachments(*task_));
  }
  detail::TaskRef task_;
};

template <>
inline void Future<void>::decode() const {}

}  // namespace hotspare
