#include "os/clock.hpp"
#include "supervisor/engine.hpp"

#include <hotspare/error.hpp>

#include <algorithm>

/// Which task may begin next. Those that may not yet wait apart, so that they hold up no others: before their tag's gate,
/// or at the grave of a worker that died of their key, until it is known whether that is in quarantine now.
namespace hotspare::detail {

namespace {

bool carries_tags(const Task& task) { return task.extra_ != nullptr && !task.extra_->gates.empty(); }

}  // namespace

/// At submit. Throws Error.
void Engine::find_gates(Task& task) {
  for (const std::string& tag : task.extra().options.tags) {
    const auto found = gates_.find(tag);
    if (found == gates_.end())
      throw Error("the tag \"" + tag + "\" of a task is none that PoolOptions::tags of pool \"" + options_.name +
                  "\" names");
    task.extra().gates.push_back(&found->second);
  }
}

/// Whether the first task of the queue may begin; before that those that must wait elsewhere have gone there, and those
/// whose key is in quarantine have ended.
bool Engine::next_may_begin() {
  if (someone_runs_alone() || (hold_ && counts_.in_workers != 0)) return false;
  while (Task* next = queue_.front()) {
    if (runs_in_host() && turned_away(*next)) continue;
    if (next->extra_ == nullptr) return true;
    if (quarantine_.any() && quarantined(share(*next))) continue;
    if (TaskList* elsewhere = must_wait_at(*next); elsewhere != nullptr) {
      elsewhere->push_back(queue_.pop_front());
      ++parked_;
      continue;
    }
    return !next->extra_->alone || may_run_alone(*next);
  }
  return false;
}

TaskList* Engine::must_wait_at(const Task& task) {
  const TaskExtra& extra = *task.extra_;
  if (!graves_.empty() && !extra.options.key.empty()) {
    if (const auto grave = graves_.find(extra.options.key); grave != graves_.end()) return &grave->second.waiting;
  }
  if (extra.gates.empty()) return nullptr;
  const std::int64_t now = os::monotonic_ns();
  for (GateAndQueue* gate : extra.gates) {
    const task::Gate::Answer answer = gate->gate.ask(now);
    if (answer.open) continue;
    gate->look_at = answer.again_at;
    if (answer.again_at != 0) arm_timer();
    return &gate->waiting;
  }
  return nullptr;
}

bool Engine::someone_runs_alone() {
  if (!lonely_) return false;
  const auto found = workers_.find(lonely_->worker);
  if (!lonely_->settled() && found != workers_.end() && found->second->account.holds(*lonely_)) return true;
  lonely_ = TaskRef();
  return false;
}

/// It may when nothing else runs; until then it holds up all others.
bool Engine::may_run_alone(Task& task) {
  const auto busy = [](const Worker* worker) { return worker->outstanding() != 0; };
  if (!leaving_.empty() || active_.empty() || std::any_of(active_.begin(), active_.end(), busy)) return false;
  lonely_ = share(task);
  return true;
}

void Engine::enter_gates(Task& task) {
  if (!carries_tags(task)) return;
  TaskExtra& extra = *task.extra_;
  const std::int64_t now = os::monotonic_ns();
  std::size_t entered = 0;
  try {
    for (; entered < extra.gates.size(); ++entered) extra.gates[entered]->gate.enter(now);
  } catch (const std::bad_alloc&) {
    while (entered != 0) extra.gates[--entered]->gate.leave(task::Gate::End::not_begun, now);
    throw;
  }
  extra.entered_ns = now;
  for (GateAndQueue* gate : extra.gates) look_at_gate(*gate, now);
}

/// Its begin is known: noted by its worker, which may write nonsense, but no later than now.
void Engine::note_begin(Task& task, std::int64_t began_at) {
  if (!carries_tags(task)) return;
  const std::int64_t began = std::min(began_at, os::monotonic_ns());
  for (GateAndQueue* gate : task.extra_->gates) gate->gate.began_at(task.extra_->entered_ns, began);
}

void Engine::leave_gates(Task& task, task::Gate::End end) {
  if (!carries_tags(task) || task.extra_->entered_ns == 0) return;
  task.extra_->entered_ns = 0;
  const std::int64_t now = os::monotonic_ns();
  for (GateAndQueue* gate : task.extra_->gates) {
    gate->gate.leave(end, now);
    look_at_gate(*gate, now);
  }
}

/// If it is open, the first that waits may try again, before those that came to the queue meanwhile.
void Engine::look_at_gate(GateAndQueue& gate, std::int64_t now) {
  gate.look_at = 0;
  if (gate.waiting.empty()) return;
  const task::Gate::Answer answer = gate.gate.ask(now);
  if (answer.open) {
    --parked_;
    queue_.push_front(gate.waiting.pop_front());
  } else if (answer.again_at != 0) {
    gate.look_at = answer.again_at;
    arm_timer();
  }
}

void Engine::look_at_gates(std::int64_t now) {
  for (auto& [tag, gate] : gates_)
    if (gate.look_at != 0 && gate.look_at <= now) look_at_gate(gate, now);
}

/// The worker that ran the task is dying. Others with its key wait until it is known what it died of.
void Engine::dig_grave(const Task& victim) {
  if (victim.extra_ == nullptr || victim.extra_->options.key.empty()) return;
  try {
    ++graves_[victim.extra_->options.key].deaths;
  } catch (const std::bad_alloc&) {  // then they do not wait
  }
}

void Engine::close_grave(const Task& victim) {
  if (victim.extra_ == nullptr || victim.extra_->options.key.empty()) return;
  const auto grave = graves_.find(victim.extra_->options.key);
  if (grave == graves_.end() || --grave->second.deaths != 0) return;
  unpark(grave->second.waiting);
  graves_.erase(grave);
}

/// All of them go back to the front of the queue, in their order.
void Engine::unpark(TaskList& waiting) {
  parked_ -= waiting.size();
  while (!waiting.empty()) queue_.push_front(waiting.remove(*waiting.back()));
}

void Engine::unpark_all() {
  for (auto& [tag, gate] : gates_) unpark(gate.waiting);
  for (auto& [key, grave] : graves_) unpark(grave.waiting);
}

}  // namespace hotspare::detail
