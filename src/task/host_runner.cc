#include "task/host_runner.hpp"

#include "os/thread.hpp"
#include "worker/this_task.hpp"

#include <exception>
#include <new>
#include <utility>

namespace hotspare::task {

void HostRunner::start(const char* whose) {
  thread_ = os::or_throw(os::start_thread([this] { run(); }), whose);
  id_ = thread_.get_id();
}

void HostRunner::end() {
  {
    const Lock lock(mutex_);
    ends_ = true;
    changed_.notify_one();
  }
  if (thread_.joinable()) thread_.join();
}

void HostRunner::run() {
  Lock lock(mutex_);
  while (!ends_) {
    if (!host_.may_run_here()) {
      changed_.wait(lock);
    } else if (!prepared_) {
      prepare(lock);
    } else {
      run_first(lock);
    }
  }
}

void HostRunner::prepare(Lock& lock) {
  std::string failure;
  lock.unlock();
  try {
    host_.prepare_here();
  } catch (const std::exception& error) {
    failure = error.what();
  } catch (...) {
    failure = "it threw something that is no std::exception";
  }
  lock.lock();
  prepared_ = true;
  if (!failure.empty()) host_.cannot_run_here(failure);
}

/// From here on the task is nowhere but in running_.
void HostRunner::run_first(Lock& lock) {
  running_ = host_.begin_here();
  if (!running_) return;
  detail::HostContext context(*running_, owner_);
  const bool told = run_unlocked(context, lock);
  host_.ended_here(std::exchange(running_, TaskRef()), told ? &context : nullptr);
}

/// False: there was no memory for what it has to tell.
bool HostRunner::run_unlocked(detail::HostContext& context, Lock& lock) {
  const worker::HostTask here(progress_, running_->id, running_->attempt + 1U);
  lock.unlock();
  bool told = false;
  try {
    context.run();
    told = true;
  } catch (const std::bad_alloc&) {
  }
  lock.lock();
  return told;
}

}  // namespace hotspare::task
