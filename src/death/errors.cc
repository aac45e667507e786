#include <hotspare/error.hpp>

#include <exception>
#include <mutex>
#include <utility>

namespace hotspare {

// Here, so that each class has its type information in this library only: catching across libraries needs that.
Error::~Error() = default;
Cancelled::~Cancelled() = default;
PoolClosed::~PoolClosed() = default;
PoolBroken::~PoolBroken() = default;
QueueFull::~QueueFull() = default;
NeedsProcess::~NeedsProcess() = default;
QueueTimeout::~QueueTimeout() = default;
PayloadError::~PayloadError() = default;

// Apart from the exception object, so that copying one copies a pointer and can't throw.
struct WorkerDied::State {
  explicit State(CrashReport told) : report(std::move(told)) {}
  const CrashReport report;
  std::once_flag once;
  std::string summary;
};

WorkerDied::WorkerDied(CrashReport report) : Error("worker died"), state_(std::make_shared<State>(std::move(report))) {}
WorkerDied::~WorkerDied() = default;
TaskTimeout::~TaskTimeout() = default;
Quarantined::~Quarantined() = default;

const CrashReport& WorkerDied::report() const noexcept { return state_->report; }

const char* WorkerDied::what() const noexcept try {
  std::call_once(state_->once, [this] { state_->summary = state_->report.summary(); });
  return state_->summary.c_str();
} catch (...) {
  return Error::what();  // out of memory
}

struct RemoteError::State {
  std::string type;
  std::vector<Frame> stack;
};

RemoteError::RemoteError(std::string type, const std::string& message, std::vector<Frame> stack)
    : Error(message), state_(std::make_shared<const State>(State{std::move(type), std::move(stack)})) {}
RemoteError::~RemoteError() = default;

const std::string& RemoteError::type() const noexcept { return state_->type; }
const std::vector<Frame>& RemoteError::stack() const noexcept { return state_->stack; }

}  // namespace hotspare
