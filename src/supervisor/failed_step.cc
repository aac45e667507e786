#include "os/clock.hpp"
#include "supervisor/engine.hpp"

#include <algorithm>
#include <exception>

/// What becomes of a step that threw, which here means that it found no memory. It may have stopped anywhere: a task that it
/// was moving is nowhere now, and a worker may be in a state in which nobody looks after it. Both show in what is there, so
/// nobody needs to know which step it was. None of this needs memory.
namespace hotspare::detail {
namespace {

/// What is to be done for a worker so that it is in no half state.
enum class Mend : unsigned char { nothing, enlist, condemn, fence, reap, end_later, forget };

struct Seen {
  workers::State state;
  bool listed;       ///< In the list that its state wants.
  bool ended_by_us;  ///< Somebody began to.
  bool has_tasks;
  bool exited, reap_asked, held_for_stack, is_due;
};

constexpr Mend mend_for(const Seen& seen) {
  using workers::State;
  switch (seen.state) {
    case State::asked:
    case State::starting:
    case State::leaving: return Mend::nothing;
    case State::spare:
    case State::active:
      if (seen.ended_by_us) return Mend::condemn;
      return seen.listed ? Mend::nothing : Mend::enlist;
    case State::condemned:
      if (seen.has_tasks) return Mend::fence;
      if (seen.held_for_stack || seen.is_due) return Mend::nothing;
      return seen.exited && !seen.reap_asked ? Mend::reap : Mend::end_later;
    case State::gone: return Mend::forget;
    case State::count: break;
  }
  return Mend::nothing;
}
static_assert(mend_for({workers::State::gone, false, false, false, true, true, false, false}) == Mend::forget);
static_assert(mend_for({workers::State::active, true, false, true, false, false, false, false}) == Mend::nothing);
static_assert(mend_for({workers::State::active, true, true, true, false, false, false, false}) == Mend::condemn);
static_assert(mend_for({workers::State::condemned, false, false, true, true, true, false, true}) == Mend::fence);
static_assert(mend_for({workers::State::condemned, false, true, false, false, false, true, false}) == Mend::nothing);

}  // namespace

/// Under the mutex. What could not be done is tried again after a pause.
void Engine::step_failed() noexcept {
  arms_later_ = false;
  memory_pause_.refused(os::monotonic_ns());
  settle_the_lost();
  for_each_worker([this](Worker& worker) {
    mend(worker);
    dispatcher_.touch(worker);
    // The look at its limits may be what failed.
    if (worker.state == workers::State::active && worker.look_at == 0) worker.look_at = memory_pause_.until();
  });
  settle_the_lost();
  if (nursery_) nursery_->try_again_if_alone();
  timer_at_ = 0;
  if (timer_) arm_timer();
}

/// Of all tasks those that are in no list, no worker and nobody's question.
void Engine::settle_the_lost() noexcept {
  for (Task* task = unsettled_.first(); task != nullptr;) {
    Task* const next = task::Unsettled::after(*task);
    if (is_nowhere(*task)) {
      admission_.leave(*task, task::Gate::End::failed);
      task->worker = 0;
      no_memory_for(share(*task));
    }
    task = next;
  }
}

bool Engine::is_nowhere(const Task& task) const noexcept {
  if (task.in != nullptr || host_runner_.runs(task)) return false;
  if (task.extra_ != nullptr && task.extra_->between != Between::none) return false;
  for (const auto& [id, worker] : workers_) {
    if (worker->account.holds(task) || worker->victim.get() == &task) return false;
    for (const TaskRef& other : worker->other_victims)
      if (other.get() == &task) return false;
  }
  return true;
}

void Engine::mend(Worker& worker) noexcept try {
  const auto in = [&worker](const std::vector<Worker*>& list) {
    return std::find(list.begin(), list.end(), &worker) != list.end();
  };
  const Seen seen{worker.state,
                  worker.state == workers::State::active ? in(active_) : in(spares_),
                  worker.evidence.ended_by != death::EndedBy::nobody,
                  !worker.account.empty(),
                  worker.exited,
                  worker.reap_asked,
                  worker.held_for_stack,
                  worker.gone_by != 0};
  switch (mend_for(seen)) {
    case Mend::nothing: return;
    case Mend::enlist: (worker.state == workers::State::active ? active_ : spares_).push_back(&worker); return;
    case Mend::condemn:
      worker.held_for_stack = false;
      condemn(worker);
      return kill(worker);
    case Mend::fence:
      std::erase(active_, &worker);
      std::erase(leaving_, &worker);
      std::erase(spares_, &worker);
      fence(worker);
      roster_changed(worker);
      if (!worker.exited && !worker.held_for_stack && worker.gone_by == 0) worker.gone_by = os::monotonic_ns();
      return;
    case Mend::reap: return ask_reap(worker);
    case Mend::end_later: worker.gone_by = os::monotonic_ns(); return;
    case Mend::forget: return forget(worker);
  }
} catch (const std::exception&) {
  // It is looked at again when the pause is over.
}

/// The pause after a failed step is over: all that its thread would have seen to is looked at again.
void Engine::look_again_after_failure(std::int64_t now) {
  if (memory_pause_.until() == 0 || memory_pause_.until() > now) return;
  memory_pause_.over();
  for_each_worker([this](Worker& worker) { mend(worker); });
  if (!broken_.empty()) refuse_queued();
  promote();
  refill();
  for (auto& listener : listeners_) nudge_listener(*listener);
  call_leader();
  if (memory_pause_.until() == 0) memory_pause_.succeeded();
}

}  // namespace hotspare::detail
