#pragma once

#include "child/keeper.hpp"
#include "child/pause.hpp"
#include "death/breaker.hpp"
#include "death/memory_guard.hpp"
#include "death/quarantine.hpp"
#include "death/sentries.hpp"
#include "death/stacks_of_hung.hpp"
#include "metrics/registry.hpp"
#include "metrics/subscribers.hpp"
#include "os/futex.hpp"
#include "os/memory.hpp"
#include "os/missing.hpp"
#include "os/owner.hpp"
#include "shm/arena.hpp"
#include "shm/bells.hpp"
#include "shm/progress.hpp"
#include "shm/spin.hpp"
#include "supervisor/callback_thread.hpp"
#include "task/admission.hpp"
#include "task/alarms.hpp"
#include "task/charge.hpp"
#include "task/host_runner.hpp"
#include "task/memory_watch.hpp"
#include "task/queue.hpp"
#include "task/retry.hpp"
#include "task/standstill.hpp"
#include "task/task.hpp"
#include "task/unsettled.hpp"
#include "workers/worker.hpp"

#include <hotspare/options.hpp>
#include <hotspare/stats.hpp>

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <exception>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <random>
#include <string>
#include <thread>
#include <vector>

namespace hotspare::detail {

class Interruptible;

using workers::Worker;
using workers::WorkerId;

/// One pool's engine: everything behind Pool, guarded by one mutex of the host's. No lock is ever shared with a worker.
/// Its parts lie where the two stories have them: task/ (submit, dispatch, harvest, settle, wait, cancel), death/
/// (notice, takeover, bury), workers/ (roster), supervisor/ (the loops). Threads: any may call the public members.
class Engine final : public std::enable_shared_from_this<Engine>,
                     private child::Keeper,
                     private task::MemoryWatch::Host,
                     private task::HostRunner::Host {
 public:
  explicit Engine(PoolOptions options);
  ~Engine();
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  /// Starts processes and threads. Throws Error.
  void start();
  /// grace: as Pool::shutdown.
  void shutdown(bool wait, bool cancel, std::size_t keep = 0, std::optional<std::chrono::nanoseconds> grace = {});
  /// Sends it to each worker that is inside a task.
  void signal_running(int signal);
  /// Whether the caller must not wait for the pool's threads, being one of them.
  bool on_own_thread() const { return callbacks_.is_current() || host_runner_.is_current(); }
  /// For the last owner, on such a thread.
  void close_in_background(std::shared_ptr<Engine> self);
  /// Throws Error.
  void resize(unsigned workers);
  Stats stats() const;
  const PoolOptions& options() const { return options_; }
  unsigned target() const;
  std::vector<std::int64_t> worker_pids() const;
  /// Of all workers that were started and are not on their way out, oldest first; waits until there are so many, or the
  /// pool closes or breaks.
  std::vector<std::int64_t> started_pids(std::size_t at_least);
  /// Waits until there is one, or will be none.
  std::int64_t zygote_pid();
  /// Why the pool is broken; empty: it is not.
  std::string broken() const;
  /// False in a process that was forked from the host: it has the memory but not the threads.
  bool in_host() const { return owner_.is_this(); }
  /// Throws Error there.
  void must_be_in_host() const;

  // task/submit.cc
  TaskRef prepare(const CallSite& site, const void* target, const TaskOptions* options, std::size_t bytes,
                  std::byte*& room);
  /// What to do when there is no room: wait, say so by returning false, or take it nevertheless.
  enum class Room : unsigned char { wait, ask, exceed };
  /// failed: its first attempt is over.
  bool submit(const TaskRef& task, ArgumentBuffers* buffers, Room room = Room::wait,
              std::shared_ptr<FailedAttempt> failed = nullptr);
  Buffer buffer(std::size_t bytes);

  // task/wait.cc
  /// Ends the wait of whoever waits for this key.
  void disturb(const void* key);
  /// Waits until ready() is true; key is what wake_waiters will be called with. False if the deadline (ns) passed.
  bool wait_until(const void* key, const std::function<bool()>& ready, std::int64_t deadline_ns);
  std::mutex& mutex() { return mutex_; }

  // task/cancel.cc
  bool cancel(const TaskRef& task, bool kill);
  bool has_begun(const TaskRef& task);
  std::optional<Progress> progress_of(const TaskRef& task);
  void on_done(const TaskRef& task, std::function<void()> callback);
  void watch(const TaskRef& task, std::shared_ptr<CompletionSink> sink);

 private:
  using Lock = std::unique_lock<std::mutex>;

  /// A thread in wait_until. One of them at a time, the leader, looks after the workers' results itself, so that a
  /// result reaches its caller with one wake; the others sleep until settled or made the leader.
  struct Waiter {
    const void* key;
    std::atomic<std::uint32_t> called{0};
  };
  enum class SegmentUse : unsigned char { read, write };
  /// What a leader looks at without the mutex: a worker's oldest ticket, the last lease it was granted, and whether it
  /// was told to read what it was sent.
  struct Head {
    shm::Channel* channel;
    std::uint64_t ticket;
    std::uint64_t lease_served;
    bool told_to_read;
    bool lease_waits;  ///< No segment can be passed to it now.
  };
  /// More than the workers of any pool need.
  static constexpr std::size_t most_listeners = 256;
  /// When a listener sees to the rest of a takeover: by then the spare runs.
  static constexpr std::int64_t soon_ns = 500'000;
  /// One thread in futex_waitv over the robust words of its workers.
  struct Listener {
    std::atomic<std::uint32_t> changed{0};
    std::vector<Worker*> watched;
    std::vector<os::FutexWatch> words;
    std::uint32_t seen = ~0u;
    bool primary = false;
    std::uint32_t requests = 0;  ///< Of Bells::requests what it has seen.
    bool look_at_all = true;     ///< Who there is has changed since.
    std::int64_t losses_at = 0;  ///< After deaths: when to look whether descriptors were lost, ns; 0: never.
    std::thread thread;
  };

  // task/dispatch.cc
  void pump();
  void hand_out();
  bool give_next(Worker& worker);
  bool hand_over(Worker& worker, Task& task);
  bool place_arguments(Worker& worker, Task& task, shm::TaskSlot& slot, std::uint64_t ticket);
  bool announce(Worker& worker, Segment& segment, SegmentUse use);
  static void tell_to_read(Worker& worker);
  void pass_none_for_a_while();
  void pass_again();
  void forget_segments(Worker& worker);
  TaskRef recall(Task& task);
  void pump_submitted();
  void ring_all();

  bool next_may_begin();
  bool nobody_runs();
  std::size_t queued() const { return queue_.size() + admission_.parked(); }
  void drop_unbegun(std::size_t keep);

  // task/order.cc
  bool recall_oldest();
  void recall_overtaken();
  void balance();
  bool take_from_the_still();
  std::size_t recall_from(Worker& donor, std::size_t at_most);
  void recall_all(Worker& donor);

  // task/silence.cc
  void expect_begin(std::int64_t now);
  void look_at_silence(std::int64_t now);
  void on_silence(Worker& worker);

  // task/attempts.cc
  void note_handed(Worker& worker, TaskRef task);
  TaskRef take_back(Worker& worker, std::uint64_t ticket);
  TaskRef condemn_attempt(Worker& worker, std::uint64_t ticket);
  TaskRef let_go(Worker& worker, std::uint64_t ticket);
  void close_head(Worker& worker);
  void lose(Worker& worker, TaskRef task);
  void distrust(Worker& worker, const char* why);
  task::Claim look_at(Worker& worker, std::uint64_t ticket);

  // task/harvest.cc
  std::size_t harvest_all();
  std::size_t harvest(Worker& worker);
  bool harvest_head(Worker& worker);
  bool take_outcome(Worker& worker, TaskRef& task, const char*& nonsense);
  static void drop_outcome(Worker& worker, const shm::PayloadAt& at, Task& task);
  void keep_failure(Task& task, Payload thrown);
  void finish(TaskRef task, shm::Ended ended);
  bool take_payload(Worker& worker, const shm::PayloadAt& at, std::uint32_t attachments, Task& task,
                    const char*& nonsense);
  bool take_attachments(Worker& worker, std::span<const std::byte> ids, Task& task, const char*& nonsense);
  void salvage(Worker& worker, Task& victim);
  void serve_lease(Worker& worker);
  bool lend(Worker& worker, int& refused);
  void take_returned_leases(Worker& worker);
  int why_no_lease(const Worker& worker) const;
  void note_progress(Worker& worker, std::size_t harvested);
  static bool may_stay(const Head& head);
  bool anything_to_harvest() const;

  // task/settle.cc
  void settle(TaskRef task, Ending ending);
  /// reason: makes the exception. Where there is no memory for that, the task is refused without a word.
  template <class Reason>
  void refuse(TaskRef task, Reason reason) {
    try {
      task->extra().refusal = std::make_exception_ptr(reason());
    } catch (const std::bad_alloc&) {
      if (task->extra_ != nullptr) task->extra_->refusal = nullptr;
    }
    settle(std::move(task), Ending::refused);
  }
  void no_memory_for(TaskRef task);
  void wake_waiters(const void* key);
  void wake_leader();
  void call_leader();
  void note_for_leader();

  // task/wait.cc
  bool wait_once(const void* key, const std::function<bool()>& ready, std::int64_t deadline_ns, Interruptible* here);
  void await(std::condition_variable& changed, Lock& lock, const std::function<bool()>& ready);
  bool lead(Waiter& me, Lock& lock, const std::function<bool()>& ready, std::int64_t deadline_ns, Interruptible* here);
  bool look_at_heads() noexcept;
  void follow_listener();
  void pass_leadership();
  // task/cancel.cc
  bool cancel_unsettled(const TaskRef& task, bool kill);
  Head head_of(const Worker& worker) const;

  // task/deadline.cc
  void watch_limits(Worker& worker, const task::Limits& limits);
  void look_at_limits(Worker& worker, std::int64_t now);
  void ask_to_stop(Worker& worker, std::int64_t begun_at);
  void end_running(Worker& worker, std::uint64_t ticket, const task::Step& why);
  void on_timer() override;
  void arm_timer() override;
  void on_alarm(TaskRef task);
  void expire_in_queue(TaskRef task);

  // task/memory.cc
  std::optional<std::vector<task::MemoryWatch::Weight>> to_be_weighed() override;
  std::int64_t weighed(const std::vector<task::MemoryWatch::Weight>& weights, std::uint64_t available) override;
  std::int64_t judge_memory(const std::vector<task::MemoryWatch::Weight>& weights, std::uint64_t available);
  void make_room(Worker& worker);
  bool put_back_after_pressure(Worker& worker);

  // task/memory_limit.cc
  std::vector<task::MemoryWatch::Limited> limited_tasks(std::uint64_t& tightest) override;
  void over_limit(const task::MemoryWatch::Limited& task, const death::MemoryTaken& taken) override;

  // task/run_in_host.cc
  void no_process(const std::string& why);
  void process_again();
  bool runs_in_host() const { return !no_process_.empty() && active_.empty() && broken_.empty(); }
  bool turned_away(const Task& task);
  bool may_run_here() override;
  void prepare_here() override;
  void cannot_run_here(const std::string& why) override;
  TaskRef begin_here() override;
  void ended_here(TaskRef task, HostContext* context) override;
  void take_host_outcome(TaskRef task, HostContext& context);
  void ask_for_process();

  // task/retry.cc
  bool may_run_again(const Task& task, task::Reason reason) const;
  void attempt_failed(TaskRef task, std::shared_ptr<FailedAttempt> failed);
  void decide(TaskRef task, bool again);
  void run_again(TaskRef task);
  void requeue(TaskRef task);
  void settle_failed(TaskRef task);
  void give_up_retries();
  bool quarantined(const TaskRef& task);
  void note_history(Task& victim, CrashReport& report);

  // death/notice.cc
  void notice_all(Listener& listener);
  void look_why_they_died(Listener& listener, std::int64_t now);
  bool shows_death(Worker& worker) const;
  void notice_death(Worker& worker);
  void end_survivors(std::int64_t now);
  void end_worker(Worker& worker, death::EndedBy why);
  void kill(Worker& worker);

  // death/takeover.cc
  void condemn(Worker& worker);
  void fence(Worker& worker);
  void settle_other_victims(Worker& worker, const CrashReport& of_worker);
  void take_over_from(Worker& worker);

  // death/bury.cc
  static void note_detail(Worker& worker, const char* detail) noexcept;
  void gather_evidence(Worker& worker, const os::ExitStatus& status) noexcept;
  void tell_death(const Worker& worker, const std::shared_ptr<CrashReport>& report);
  void settle_unreported(Worker& worker);
  void bury(Worker& worker, const os::ExitStatus& status);
  std::shared_ptr<CrashReport> write_report(Worker& worker);
  void settle_before_death(Worker& worker);
  static void describe(Task& victim, CrashReport& report);
  void settle_victim(Worker& worker, const std::shared_ptr<CrashReport>& report);
  void note_death_before_ready(const CrashReport& report);
  void take_stack_then_kill(Worker& worker);

  // workers/roster.cc
  void refill() override;
  void refill_soon();
  void ask_worker();
  void reserve_for_one_more();
  void note_ready(Worker& worker);
  void promote();
  void retire(Worker& worker);
  void retire_surplus();
  void forget(Worker& worker);
  void roster_changed(Worker& worker);
  void step(Worker& worker, workers::Event event);

  // supervisor/children.cc: what the pool decides about its children
  void start_nursery();
  child::Leaving see_nursery_off();
  child::Process* child(std::uint64_t id) override;
  child::Process* child_after(std::uint64_t id) override;
  void on_heard() override { started_.notify_all(); }
  void on_forked(child::Process& process) override;
  void on_born(child::Process& process) override;
  void abandon(child::Process& process) override;
  bool is_heard(const child::Process& process) const override;
  bool has_last_words(const child::Process& process) const override;
  void on_lifeline_closed(child::Process& process) override;
  void notice(child::Process& process) override;
  void end_held(child::Process& process) override;
  void bury(child::Process& process, const os::ExitStatus& status) override;
  bool tees_stderr() const override { return options_.worker_stderr == Stderr::tee; }
  void break_down(const std::string& why) override { break_pool(why); }
  void on_no_zygote(const std::string& why) override { no_process(why); }
  void note_refusal(const std::string& what) override;
  void on_all_buried() override { refuse_queued(); }
  static Worker& worker_of(child::Process& process) { return static_cast<Worker&>(process); }
  static Worker& worker_of(task::Candidate& candidate) { return static_cast<Worker&>(candidate); }

  // supervisor/supervisor.cc
  void on_call() override { watch_warm_memory(); }
  bool is_over() override;
  void break_pool(const std::string& why);
  void refuse_queued();
  /// Closing, and all that was promised is done. Until then a closing pool replaces its dead like any other.
  bool finishing() const override { return closing_ && unsettled_.empty(); }
  using Keeper::tell;
  void tell(Event event) override;
  void watch_warm_memory();
  void give_back_warm_memory();
  bool closing_done();
  void nudge_supervisor() {
    if (call_) call_supervisor();
  }

  // supervisor/failed_step.cc
  void step_failed() noexcept override;
  void settle_the_lost() noexcept;
  bool is_nowhere(const Task& task) const noexcept;
  void mend(Worker& worker) noexcept;
  void look_again_after_failure(std::int64_t now);
  template <class Look>
  void for_each_worker(Look look) {
    for_each_child([&look](child::Process& each) { look(worker_of(each)); });
  }
  // For lost descriptors.
  void call_listener() noexcept override {
    if (!listeners_.empty()) nudge_listener(*listeners_.front());
  }
  bool on_listener() const noexcept override { return listeners_.empty() || on_first_listener(); }
  bool lost_what_children_share() const noexcept override { return !bells_fd_.is_ours() || !wishes_fd_.is_ours(); }

  // supervisor/threads.cc
  void start_threads();
  void give_up_start();
  void end_threads();
  void end_on_callback_thread();
  // supervisor/kill.cc
  void kill_at(std::int64_t when);
  void kill_all();

  // supervisor/listener.cc
  void listen(Listener& listener);
  void start_listeners();
  void rebuild(Listener& listener);
  bool read_words(Listener& listener, std::uint32_t bell);
  void place_word(Worker& worker);
  void place_words();
  void serve_who_wait(Listener& listener);
  bool wait_for_words(Listener& listener, std::uint32_t bell, std::int64_t deadline);
  std::int64_t look_for_losses(Listener& listener);
  void fall_back();
  void tell_what_is_missing() noexcept;
  void tell_missing(os::Missing what);
  void give_sentry(Worker& worker);
  std::int64_t look_after_results(Listener& listener, std::size_t& recent);
  void nudge_listener(Listener& listener);
  void call_results_listener();
  bool on_first_listener() const;

  const PoolOptions options_;
  const std::size_t payload_limit_;
  const std::size_t most_payload_segments_;  ///< Each holds a descriptor: a quarter of what this process may open.
  const os::Owner owner_;
  const std::shared_ptr<shm::Arena> arena_;

  mutable std::mutex mutex_;
  // Tasks.
  TaskQueue queue_;
  task::Admission admission_;
  task::Dispatcher dispatcher_;
  task::Standstill standstill_;
  std::uint64_t last_task_id_ = 0;
  task::Unsettled unsettled_;
  PayloadRoom payload_room_;  ///< Of large arguments not yet settled.
  std::condition_variable room_;
  std::condition_variable started_;  ///< A worker was started, or no more will be.
  unsigned room_waiters_ = 0;
  task::Alarms alarms_;
  task::Budget retry_budget_;
  death::Quarantine quarantine_;
  const death::MemoryRule memory_rule_;
  std::int64_t silence_at_ = 0;  ///< When to look whether what was given to idle workers has begun; 0: it has.
  bool no_retries_ = false;      ///< What fails now has failed for good.
  std::minstd_rand random_{std::random_device{}()};
  std::vector<Waiter*> waiters_;
  Waiter* leader_ = nullptr;
  std::vector<Head> heads_;    ///< What the leader looks at, without the mutex, too: nobody else does.
  const bool has_other_core_;  ///< Somebody else can run while a thread spins.
  shm::SpinBudget caller_spin_;

  // Workers.
  unsigned target_;  ///< How many shall be active.
  std::map<WorkerId, std::unique_ptr<Worker>> workers_;
  std::vector<Worker*> active_;
  std::vector<Worker*> leaving_;  ///< Retired, with tasks of theirs still unfinished.
  std::vector<Worker*> spares_;
  std::vector<std::unique_ptr<Worker>> graveyard_;  ///< Freed when no leader may still look at their channels.
  WorkerId last_worker_id_ = 0;
  std::vector<std::int64_t> vacancies_;  ///< When those were noticed for whom nobody new is ready yet, ns.
  death::Breaker breaker_;
  bool refusal_told_ = false;  ///< That workers are refused, since the last one was made.

  // Tasks in this process itself, while no other can be had.
  std::string no_process_;  ///< Why that is so; empty: it is not.
  task::HostRunner host_runner_;

  // Life of the pool.
  child::Pause memory_pause_;   ///< After a step for which there was no memory.
  child::Pause passing_pause_;  ///< After the kernel took no more descriptors on their way.
  std::string broken_;
  bool closing_ = false;
  bool closed_ = false;
  std::atomic<bool> abandoned_{false};  ///< Its owner is gone, and on_event with it.
  std::shared_ptr<Engine> last_owner_;  ///< Itself, until it has ended in the background.
  std::int64_t kill_at_ = 0;            ///< When the grace of a shutdown is over, ns; 0: it has none.
  bool killed_ = false;                 ///< It was over: nothing is started any more.
  std::mutex joining_;                  ///< shutdown(true) by two threads: the second one finds all done.
  Stats counts_;

  // What is shared with the workers, and the threads.
  os::Fd bells_fd_, wishes_fd_;
  os::Mapping bells_map_, wishes_map_;
  shm::Bells* bells_ = nullptr;
  shm::Wishes* wishes_ = nullptr;
  bool arms_later_ = false;  ///< While a takeover has more urgent things to do.
  bool arm_due_ = false;
  std::int64_t leave_deadline_ = 0;
  unsigned leave_rounds_ = 0;             ///< How often that has passed.
  std::int64_t refill_at_ = 0;            ///< When to ask for what a takeover used up; 0: nothing is due.
  std::int64_t trim_at_ = 0;              ///< When to look at what is warm in the arena; 0: when it calls.
  std::atomic<bool> trim_wanted_{false};  ///< It has called.
  std::vector<std::unique_ptr<Listener>> listeners_;
  std::atomic<bool> one_word_each_{false};   ///< futex_waitv cannot be had: a listener sleeps on one word.
  std::optional<death::Sentries> sentries_;  ///< Then.
  bool words_unplaced_ = false;              ///< No listener had room for some worker's.
  task::MemoryWatch memory_watch_;
  supervisor::Callbacks end_in_background_;  ///< Made when the pool is, for when it has no other owner.
  supervisor::CallbackThread callbacks_;
  supervisor::CallbackThread coroner_;         ///< Takes stacks of hung workers; slow work about the dead.
  metrics::Registration<Stats> registration_;  ///< Last: it looks at all of the above until it goes.
};

}  // namespace hotspare::detail
