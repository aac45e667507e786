#pragma once

#include <hotspare/crash_report.hpp>
#include <hotspare/export.hpp>

#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

namespace hotspare {

/// Base of everything that hotspare itself throws. Copying any of these never throws.
class HOTSPARE_API Error : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
  ~Error() override;
};

/// The worker that ran the task died. what() is report().summary(), made when it is first asked for, since that takes
/// unwinding: to throw and catch this costs little.
class HOTSPARE_API WorkerDied : public Error {
 public:
  explicit WorkerDied(CrashReport report);
  ~WorkerDied() override;
  /// Shared by all copies of this exception; any thread may read it.
  const CrashReport& report() const noexcept;
  const char* what() const noexcept override;

 private:
  struct State;
  std::shared_ptr<State> state_;
};

/// The task's deadline passed: its stack was taken, its worker was ended.
class HOTSPARE_API TaskTimeout : public WorkerDied {
 public:
  using WorkerDied::WorkerDied;
  ~TaskTimeout() override;
};

/// It, or what it is about (TaskOptions::key), has killed so many workers that no more are risked; report().earlier has all
/// of its deaths but the last.
class HOTSPARE_API Quarantined : public WorkerDied {
 public:
  using WorkerDied::WorkerDied;
  ~Quarantined() override;
};

/// The task had not begun when its TaskOptions::queue_timeout was over. It never ran.
class HOTSPARE_API QueueTimeout : public Error {
 public:
  using Error::Error;
  ~QueueTimeout() override;
};

/// The task threw something that has no standard type of its own. what() is the message.
class HOTSPARE_API RemoteError : public Error {
 public:
  RemoteError(std::string type, const std::string& message, std::vector<Frame> stack);
  ~RemoteError() override;
  const std::string& type() const noexcept;          ///< Demangled name of the thrown type.
  const std::vector<Frame>& stack() const noexcept;  ///< Where it was thrown, innermost first.

 private:
  struct State;
  std::shared_ptr<const State> state_;
};

/// The task was cancelled before it had an outcome.
class HOTSPARE_API Cancelled : public Error {
 public:
  using Error::Error;
  ~Cancelled() override;
};

/// The pool no longer takes tasks: shutdown() was called.
class HOTSPARE_API PoolClosed : public Error {
 public:
  using Error::Error;
  ~PoolClosed() override;
};

/// The pool can run nothing any more (a bad initializer, say); what() says why.
class HOTSPARE_API PoolBroken : public Error {
 public:
  using Error::Error;
  ~PoolBroken() override;
};

/// The task cannot run in the host, where the pool has to run its tasks (PoolOptions::run_in_host): its limits could not be
/// kept there, or it has cost a worker its life. It did not run there; what() says what it needs.
class HOTSPARE_API NeedsProcess : public Error {
 public:
  using Error::Error;
  ~NeedsProcess() override;
};

/// PoolOptions::queue_limit is reached and waiting was not possible or not wanted.
class HOTSPARE_API QueueFull : public Error {
 public:
  using Error::Error;
  ~QueueFull() override;
};

/// A payload could not be written or read: cut, or larger than it can be.
class HOTSPARE_API PayloadError : public Error {
 public:
  using Error::Error;
  ~PayloadError() override;
};

}  // namespace hotspare
