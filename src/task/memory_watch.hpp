#pragma once

#include "death/memory_guard.hpp"
#include "death/memory_limit.hpp"

#include <condition_variable>
#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <sys/types.h>
#include <thread>
#include <vector>

namespace hotspare::task {

/// Reads what workers have in memory, on a thread of its own and without the pool's mutex: to read what one has takes some
/// 10 µs, to walk over its pages milliseconds. What it finds goes to its host, which decides.
///
/// Owns the thread, and what is known of limited tasks from one look to the next. Looks only while the host has something to
/// look at; sleeps otherwise, until it is called.
class MemoryWatch {
 public:
  /// A task with a memory limit, in its worker.
  struct Limited {
    std::uint64_t worker;
    pid_t pid;
    pid_t zygote;
    std::uint64_t ticket;
    std::uint64_t limit;  ///< Bytes.
    death::MemoryBefore before;
  };
  /// A worker, and what it has for itself, bytes.
  struct Weight {
    std::uint64_t worker;
    pid_t pid;
    std::uint64_t bytes = 0;
  };

  /// Whose workers these are. What it throws (there is no memory for its answer) has the watch look again soon.
  class Host {
   public:
    /// Under the mutex. Those that run, and have told what their worker had before. tightest: the least limit of these and of
    /// those that are still to begin; 0: there are none.
    virtual std::vector<Limited> limited_tasks(std::uint64_t& tightest) = 0;
    /// Without it. The task may be over, and its worker gone.
    virtual void over_limit(const Limited& task, const death::MemoryTaken& taken) = 0;
    /// Under the mutex, where there is a rule. All workers; none: nothing runs or waits.
    virtual std::optional<std::vector<Weight>> to_be_weighed() = 0;
    /// Under the mutex. A worker of these may be gone by now, and its pid another's. available: what the machine or the cgroup
    /// still has, bytes; 0, where the rule does not ask for it. Returns when to weigh again, ns from now.
    virtual std::int64_t weighed(const std::vector<Weight>& workers, std::uint64_t available) = 0;

   protected:
    ~Host() = default;
  };

  /// rule: for what all workers have together.
  MemoryWatch(std::mutex& mutex, const death::MemoryRule& rule, Host& host) : mutex_(mutex), rule_(rule), host_(host) {}
  MemoryWatch(const MemoryWatch&) = delete;
  MemoryWatch& operator=(const MemoryWatch&) = delete;

  /// Throws Error. whose: is what cannot be made then.
  void start(const char* whose);
  /// Under the mutex: a task is handed over, which may have a limit.
  void expect(bool limited);
  /// Without it. Comes back when the thread has ended.
  void end();

 private:
  using Lock = std::unique_lock<std::mutex>;

  void watch();
  std::int64_t look(Lock& lock);
  std::int64_t look_at(const Limited& task);
  void weigh(std::vector<Weight>& workers, Lock& lock);

  std::mutex& mutex_;
  const death::MemoryRule rule_;
  Host& host_;
  std::thread thread_;
  std::condition_variable changed_;
  bool called_ = false;  ///< It looks by itself; otherwise it must be called.
  bool ends_ = false;
  // The thread's own.
  std::map<std::uint64_t, death::LimitWatch> limits_;  ///< By worker.
  std::int64_t weigh_at_ = 0;                          ///< CLOCK_MONOTONIC, ns.
};

}  // namespace hotspare::task
