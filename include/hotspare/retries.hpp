#pragma once

#include <hotspare/export.hpp>

#include <chrono>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <string>

namespace hotspare {

struct CrashReport;
class Failure;
namespace detail {
struct FailedAttempt;
const FailedAttempt& attempt_of(const Failure& failure) noexcept;
}  // namespace detail

/// One failed attempt of a task, as its retry policy sees it. Lives as long as the call that it is given to.
class HOTSPARE_API Failure {
 public:
  explicit Failure(const detail::FailedAttempt& attempt) : attempt_(&attempt) {}
  Failure(const Failure&) = delete;
  Failure& operator=(const Failure&) = delete;

  unsigned attempt() const;  ///< 1 for the first.
  std::uint64_t task_id() const;
  /// Its worker died; else the task threw.
  bool died() const;
  /// What Future::get would throw if it was the last attempt. Never null.
  std::exception_ptr error() const;
  /// Of its worker's death; null if it threw.
  const std::shared_ptr<const CrashReport>& report() const;

 private:
  friend const detail::FailedAttempt& detail::attempt_of(const Failure& failure) noexcept;
  const detail::FailedAttempt* attempt_;
};

/// Which failed attempts of a task are made again. A task whose attempts can be repeated must not mind if an attempt ended
/// anywhere in its middle: that is why the default is never to run again what has begun.
///
/// when and before_retry are called one at a time on the thread that runs the pool's callbacks: they must not wait for
/// tasks of this pool. What when throws counts as false; what before_retry throws ends the retrying.
struct Retries {
  /// In all, the first one included, 1 to 65535; 1: never again.
  unsigned attempts = 1;
  /// After its worker's death, of whatever cause but a deadline or memory.
  bool on_death = true;
  /// After the end of a deadline: timeout, soft_timeout or progress_timeout.
  bool on_timeout = true;
  /// After an exception; when tells which ones.
  bool on_exception = false;
  /// After death for want of memory (our limit, or the kernel's OOM killer), so often, whatever attempts says; alone: no
  /// other task of the pool runs meanwhile. Only if attempts is more than 1.
  unsigned memory_attempts = 1;
  /// Asked about each failure that may be retried; empty: yes.
  std::function<bool(const Failure&)> when = nullptr;
  /// Called before each retry: the place to remove a cut download, say.
  std::function<void(const Failure&)> before_retry = nullptr;
  /// Pause before a retry, drawn between base and three times the pause before it, at most cap ("decorrelated jitter",
  /// M. Brooker, "Exponential Backoff and Jitter", 2015); base 0: none.
  std::chrono::nanoseconds base = std::chrono::milliseconds(50);
  std::chrono::nanoseconds cap = std::chrono::seconds(10);
};

/// How many retries a whole pool may make, so that those of many tasks do not become a storm: each retry takes one token,
/// each task that returns a value gives some back, and there are never more than at the start. (As the retry budget of
/// Finagle, Twitter 2016.)
struct RetryBudget {
  double tokens = 100;     ///< At the start, and at most; 0 or more.
  double per_value = 0.1;  ///< Given back by each task that returns a value; 0 or more.
};

}  // namespace hotspare
