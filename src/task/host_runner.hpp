#pragma once

#include "os/owner.hpp"
#include "shm/progress.hpp"
#include "task/host_context.hpp"
#include "task/task.hpp"

#include <condition_variable>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

namespace hotspare::task {

/// Runs tasks in this process itself, one at a time, on a thread of its own, while its host says so.
///
/// What may go wrong: a task throws (its outcome, as ever); never returns (it cannot be ended: end() waits for it); submits to
/// its own pool or waits for it (is_current(): refused, it would wait for itself); shuts it down (that begins, and does not
/// wait); forks and returns in the child (which ends); crashes (so does the host: that is the price).
class HostRunner {
 public:
  using Task = detail::Task;
  using TaskRef = detail::TaskRef;

  class Host {
   public:
    /// Under the mutex: whether the first task of the queue is to be run here and now.
    virtual bool may_run_here() = 0;
    /// Without it, once, before the first task: what each worker does, tasks may rely on. What it throws is why they cannot be
    /// run.
    virtual void prepare_here() = 0;
    /// Under the mutex. why: what prepare_here() threw.
    virtual void cannot_run_here(const std::string& why) = 0;
    /// Under the mutex: takes that task out of the queue. Null: there was no memory for what that needs.
    virtual TaskRef begin_here() = 0;
    /// Under the mutex. context: null, if there was no memory for its outcome.
    virtual void ended_here(TaskRef task, detail::HostContext* context) = 0;

   protected:
    ~Host() = default;
  };

  /// owner: knows this process from its forks.
  HostRunner(std::mutex& mutex, const os::Owner& owner, Host& host) : mutex_(mutex), owner_(owner), host_(host) {}
  HostRunner(const HostRunner&) = delete;
  HostRunner& operator=(const HostRunner&) = delete;

  /// There from the start: where no process can be had, no thread may be to be had either. Signals are not blocked in it: what
  /// tasks start inherits that. Throws Error. whose: is what cannot be made then.
  void start(const char* whose);
  /// may_run_here() may be true now.
  void call() { changed_.notify_one(); }
  /// Without the mutex. Comes back when the thread has ended.
  void end();

  /// Any thread: whether it is the caller.
  bool is_current() const { return id_ == std::this_thread::get_id(); }
  /// Under the mutex.
  bool runs(const Task& task) const { return running_.get() == &task; }
  bool runs_any() const { return static_cast<bool>(running_); }
  std::optional<shm::Told> progress_of(const Task& task) const { return progress_.told_by(task.id); }

 private:
  using Lock = std::unique_lock<std::mutex>;

  void run();
  void prepare(Lock& lock);
  void run_first(Lock& lock);
  bool run_unlocked(detail::HostContext& context, Lock& lock);

  std::mutex& mutex_;
  const os::Owner& owner_;
  Host& host_;
  std::thread thread_;
  std::thread::id id_;
  std::condition_variable changed_;
  bool prepared_ = false;
  bool ends_ = false;
  TaskRef running_;
  shm::Progress progress_;
};

}  // namespace hotspare::task
