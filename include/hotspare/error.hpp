#pragma once

#include <hotspare/crash_report.hpp>
#include <hotspare/export.hpp>

#include <stdexcept>
#include <string>
#include <vector>

namespace hotspare {

/// Base of everything that hotspare itself throws.
class HOTSPARE_API Error : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
  ~Error() override;
};

/// The worker that ran the task died. what() is report().summary().
class HOTSPARE_API WorkerDied : public Error {
 public:
  explicit WorkerDied(CrashReport report);
  ~WorkerDied() override;
  const CrashReport& report() const { return report_; }

 private:
  CrashReport report_;
};

/// The task threw something that has no standard type of its own. what() is the message.
class HOTSPARE_API RemoteError : public Error {
 public:
  RemoteError(std::string type, const std::string& message, std::vector<Frame> stack);
  ~RemoteError() override;
  const std::string& type() const { return type_; }            ///< Demangled name of the thrown type.
  const std::vector<Frame>& stack() const { return stack_; }   ///< Where it was thrown, innermost first.

 private:
  std::string type_;
  std::vector<Frame> stack_;
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
