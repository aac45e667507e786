#include "os/clock.hpp"
#include "os/futex.hpp"
#include "supervisor/engine.hpp"
#include "task/interruptible.hpp"

#include <hotspare/error.hpp>

#include <algorithm>

/// Waiting for a task. One waiting thread, the leader, harvests itself while it waits: worker → caller is then one
/// wake, not two. The others sleep until their task has settled or the leader leaves.
namespace hotspare::detail {
namespace {

bool rung(const Interruptible* here) { return here != nullptr && here->rung(); }

}  // namespace

bool Engine::wait_until(const void* key, const std::function<bool()>& ready, std::int64_t deadline_ns) {
  must_be_in_host();
  Interruptible* const here = Interruptible::here();
  if (here == nullptr) return wait_once(key, ready, deadline_ns, nullptr);
  for (;;) {
    const Interruptible::Wake wake(here, [this, key] { disturb(key); });
    if (wait_once(key, ready, deadline_ns, here)) return true;
    if (!here->rung()) return false;
    here->answer();
  }
}

/// Until ready() is true, the deadline, or an interruption.
bool Engine::wait_once(const void* key, const std::function<bool()>& ready, std::int64_t deadline_ns,
                       Interruptible* here) {
  Lock lock(mutex_);
  if (ready()) return true;
  if (deadline_ns < 0 && host_runner_.is_current())
    throw Error("a task that runs in the host would wait for itself: it waits for a task of its own pool \"" +
                options_.name + "\"");
  Waiter me{key, {}};
  waiters_.push_back(&me);
  bool in_time = true;
  bool can_lead = true;
  while (!ready() && in_time && !rung(here)) {
    me.called.store(0, std::memory_order_relaxed);
    if (leader_ == nullptr && !closed_ && can_lead) {
      can_lead = lead(me, lock, ready, deadline_ns, here);
    } else {
      lock.unlock();
      sleep_on(me.called, 0, os::FutexScope::process, deadline_ns, here);
      lock.lock();
    }
    in_time = deadline_ns < 0 || os::monotonic_ns() < deadline_ns;
  }
  std::erase(waiters_, &me);
  if (leader_ == nullptr) pass_leadership();
  return ready();
}

/// As changed.wait(lock, ready), but it can be interrupted. If that throws, the lock is not held.
void Engine::await(std::condition_variable& changed, Lock& lock, const std::function<bool()>& ready) {
  Interruptible* const here = Interruptible::here();
  if (here == nullptr) return changed.wait(lock, ready);
  while (!ready()) {
    lock.unlock();
    {
      const Interruptible::Wake wake(here, [this, &changed] {
        const Lock looking(mutex_);
        changed.notify_all();
      });
      lock.lock();
      changed.wait(lock, [&] { return ready() || here->rung(); });
      lock.unlock();
    }
    if (here->rung()) here->answer();
    lock.lock();
  }
}

Engine::Head Engine::head_of(const Worker& worker) const {
  shm::Channel& channel = worker.channel();
  return {&channel, worker.account.head(), worker.lease_served,
          channel.read_segments.load(std::memory_order_relaxed) != 0, passing_pause_.until() != 0};
}

/// False: there is no memory for a list of workers to look at.
bool Engine::look_at_heads() noexcept try {
  heads_.clear();
  const std::vector<task::Candidate*>& busy = dispatcher_.busy();
  heads_.reserve(busy.size());
  for (task::Candidate* candidate : busy) heads_.push_back(head_of(worker_of(*candidate)));
  return true;
} catch (const std::bad_alloc&) {
  return false;
}

/// From now on the listener looks after results.
void Engine::follow_listener() {
  graveyard_.clear();
  wishes_->listener.store(shm::Ring::always, std::memory_order_seq_cst);
  // SYNC POINT result-bell: what was committed before that wish was not rung for.
  take_step([this] {
    harvest_all();
    pump();
  });
  if (standstill_.wanted()) call_results_listener();
}

/// False: it could not go on, for want of memory, and the listener does what it did.
bool Engine::lead(Waiter& me, Lock& lock, const std::function<bool()>& ready, std::int64_t deadline_ns,
                  Interruptible* here) {
  leader_ = &me;
  wishes_->listener.store(shm::Ring::never, std::memory_order_seq_cst);
  for (;;) {
    take_step([this] {
      harvest_all();
      pump();
    });
    graveyard_.clear();
    const std::int64_t now = os::monotonic_ns();
    if (ready() || closed_ || rung(here) || (deadline_ns >= 0 && now >= deadline_ns)) break;
    if (!look_at_heads()) {
      leader_ = nullptr;
      follow_listener();
      return false;
    }
    me.called.store(0, std::memory_order_relaxed);  // what was noted for it by now is in that list
    std::int64_t until = deadline_ns;
    if (standstill_.wanted() && (until < 0 || until > now + standstill_.again_ns)) until = now + standstill_.again_ns;
    lock.unlock();
    const auto called = [&] { return me.called.load(std::memory_order_seq_cst) != 0 || anything_to_harvest(); };
    if (!caller_spin_.spin_until(called)) {
      const std::uint32_t bell = bells_->caller.load(std::memory_order_acquire);
      wishes_->caller.store(1, std::memory_order_seq_cst);
      // SYNC POINT result-bell: this look after the wish, the worker's look at the wish after its commit.
      // SYNC POINT leader-called: the same against note_for_leader's store and wake_leader's look at the wish.
      if (!called()) sleep_on(bells_->caller, bell, os::FutexScope::shared, until, here);
      wishes_->caller.store(0, std::memory_order_relaxed);
    }
    lock.lock();
  }
  leader_ = nullptr;
  return true;
}

/// The next waiting thread leads; if there is none the listener thread looks after results again.
void Engine::pass_leadership() {
  if (!waiters_.empty()) {
    waiters_.front()->called.store(1, std::memory_order_release);
    os::futex_wake(waiters_.front()->called, 1, os::FutexScope::process);
    return;
  }
  if (!closed_) follow_listener();
}

void Engine::disturb(const void* key) {
  if (!in_host()) return;  // nobody waits there
  const Lock lock(mutex_);
  wake_waiters(key);
}

bool wait(const TaskRef& task, std::chrono::nanoseconds timeout) {
  if (task->settled()) return true;
  const std::int64_t deadline = timeout.count() < 0 ? -1 : os::monotonic_ns() + os::bounded_ns(timeout);
  const std::shared_ptr<Engine> engine = task->engine;
  return engine->wait_until(
      task.get(), [&] { return task->settled(); }, deadline);
}

struct Completions::State {
  std::shared_ptr<Engine> engine;
  struct Sink : CompletionSink {
    TaskList ready;      // guarded by the engine's mutex; a settled task waits nowhere else
    bool ended = false;  // so is this
    ~Sink() override {
      while (!ready.empty()) ready.pop_front();
    }
    void settled(TaskRef task) override { ready.push_back(std::move(task)); }
  };
  std::shared_ptr<Sink> sink = std::make_shared<Sink>();
};

Completions::Completions(Engine& engine) : state_(std::make_shared<State>()) {
  state_->engine = engine.shared_from_this();
}
Completions::~Completions() = default;

void Completions::watch(const TaskRef& task) { state_->engine->watch(task, state_->sink); }

TaskRef Completions::take() {
  Engine& engine = *state_->engine;
  TaskList& ready = state_->sink->ready;
  engine.wait_until(
      state_->sink.get(), [&] { return !ready.empty(); }, -1);
  std::lock_guard lock(engine.mutex());
  return ready.pop_front();
}

std::vector<TaskRef> Completions::take_all() {
  Engine& engine = *state_->engine;
  State::Sink& sink = *state_->sink;
  engine.wait_until(
      &sink, [&] { return sink.ended || !sink.ready.empty(); }, -1);
  return take_ready();
}

std::vector<TaskRef> Completions::take_ready() {
  State::Sink& sink = *state_->sink;
  state_->engine->must_be_in_host();
  const std::lock_guard lock(state_->engine->mutex());
  std::vector<TaskRef> tasks;
  tasks.reserve(sink.ready.size());
  while (!sink.ready.empty()) tasks.push_back(sink.ready.pop_front());
  return tasks;
}

void Completions::end() {
  Engine& engine = *state_->engine;
  if (!engine.in_host()) return;
  {
    const std::lock_guard lock(engine.mutex());
    state_->sink->ended = true;
  }
  engine.disturb(state_->sink.get());
}

}  // namespace hotspare::detail
