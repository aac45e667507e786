#include "task/admission.hpp"

#include <algorithm>
#include <new>
#include <utility>

namespace hotspare::task {

using detail::GateAndQueue;
using detail::TaskExtra;
using detail::TaskList;
using detail::TaskRef;

namespace {

bool carries_tags(const detail::Task& task) { return task.extra_ != nullptr && !task.extra_->gates.empty(); }

}  // namespace

Admission::Admission(detail::TaskQueue& queue, const Tags& tags, std::function<void()> on_due, std::int64_t (*clock)())
    : queue_(queue), on_due_(std::move(on_due)), clock_(clock) {
  for (const auto& [tag, limits] : tags) gates_.try_emplace(tag, limits);
}

const std::string* Admission::find_gates(Task& task) {
  for (const std::string& tag : task.extra().options.tags) {
    const auto found = gates_.find(tag);
    if (found == gates_.end()) return &tag;
    task.extra().gates.push_back(&found->second);
  }
  return nullptr;
}

Admission::Answer Admission::ask(const Task& first) {
  using enum Answer::May;
  if (first.extra_ == nullptr) return {begin};
  if (TaskList* const where = place_for(first); where != nullptr) return {wait_elsewhere, where};
  return {first.extra_->alone ? begin_alone : begin};
}

void Admission::park_first(TaskList& where) {
  where.push_back(queue_.pop_front());
  ++parked_;
}

/// Null: it need not wait.
TaskList* Admission::place_for(const Task& first) {
  const TaskExtra& extra = *first.extra_;
  if (!graves_.empty() && !extra.options.key.empty()) {
    if (const auto grave = graves_.find(extra.options.key); grave != graves_.end()) return &grave->second.waiting;
  }
  if (extra.gates.empty()) return nullptr;
  const std::int64_t now = clock_();
  for (GateAndQueue* gate : extra.gates) {
    const Gate::Answer answer = gate->gate.ask(now);
    if (answer.open) continue;
    expect_opening(*gate, answer.again_at);
    return &gate->waiting;
  }
  return nullptr;
}

void Admission::enter(Task& task) {
  if (!carries_tags(task)) return;
  TaskExtra& extra = *task.extra_;
  const std::int64_t now = clock_();
  std::size_t entered = 0;
  try {
    for (; entered < extra.gates.size(); ++entered) extra.gates[entered]->gate.enter(now);
  } catch (const std::bad_alloc&) {
    while (entered != 0) extra.gates[--entered]->gate.leave(Gate::End::not_begun, now);
    throw;
  }
  extra.entered_ns = now;
  for (GateAndQueue* gate : extra.gates) look_at(*gate, now);
}

void Admission::note_begin(const Task& task, std::int64_t began_at) {
  if (!carries_tags(task)) return;
  const std::int64_t began = std::min(began_at, clock_());
  for (GateAndQueue* gate : task.extra_->gates) gate->gate.began_at(task.extra_->entered_ns, began);
}

void Admission::leave(Task& task, Gate::End end) {
  if (!carries_tags(task) || task.extra_->entered_ns == 0) return;
  task.extra_->entered_ns = 0;
  const std::int64_t now = clock_();
  for (GateAndQueue* gate : task.extra_->gates) {
    gate->gate.leave(end, now);
    look_at(*gate, now);
  }
}

void Admission::handed(const Task& task) {
  if (task.extra_ != nullptr && task.extra_->alone) lonely_ = &task;
}

void Admission::let_go(const Task& task) {
  if (lonely_ == &task) lonely_ = nullptr;
}

/// If it is open, the first that waits may try again, before those that came to the queue meanwhile.
void Admission::look_at(GateAndQueue& gate, std::int64_t now) {
  gate.look_at = 0;
  if (gate.waiting.empty()) return;
  const Gate::Answer answer = gate.gate.ask(now);
  if (!answer.open) return expect_opening(gate, answer.again_at);
  --parked_;
  queue_.push_front(gate.waiting.pop_front());
}

/// 0: only the end of a task opens it.
void Admission::expect_opening(GateAndQueue& gate, std::int64_t at) {
  gate.look_at = at;
  if (at != 0) on_due_();
}

std::int64_t Admission::due_at() const {
  std::int64_t first = 0;
  for (const auto& [tag, gate] : gates_)
    if (gate.look_at != 0 && (first == 0 || gate.look_at < first)) first = gate.look_at;
  return first;
}

void Admission::on_time(std::int64_t now) {
  for (auto& [tag, gate] : gates_)
    if (gate.look_at != 0 && gate.look_at <= now) look_at(gate, now);
}

void Admission::dig_grave(const Task& victim) {
  if (victim.extra_ == nullptr || victim.extra_->options.key.empty()) return;
  try {
    ++graves_[victim.extra_->options.key].deaths;
  } catch (const std::bad_alloc&) {  // then they do not wait
  }
}

void Admission::close_grave(const Task& victim) {
  if (victim.extra_ == nullptr || victim.extra_->options.key.empty()) return;
  const auto grave = graves_.find(victim.extra_->options.key);
  if (grave == graves_.end() || --grave->second.deaths != 0) return;
  unpark(grave->second.waiting);
  graves_.erase(grave);
}

/// All of them go back to the front of the queue, in their order.
void Admission::unpark(TaskList& waiting) {
  parked_ -= waiting.size();
  while (!waiting.empty()) queue_.push_front(waiting.remove(*waiting.back()));
}

void Admission::unpark_all() {
  for (auto& [tag, gate] : gates_) unpark(gate.waiting);
  for (auto& [key, grave] : graves_) unpark(grave.waiting);
}

TaskRef Admission::take(Task& task) {
  if (queue_.holds(task)) return queue_.remove(task);
  --parked_;
  return task.in->remove(task);
}

}  // namespace hotspare::task
