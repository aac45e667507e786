#include "child/ending.hpp"
#include "os/clock.hpp"
#include "supervisor/engine.hpp"
#include "zygote/embedding.hpp"

#include <hotspare/error.hpp>

/// Time limits, kept by the host: they hold whatever the worker does. Those of running tasks are kept with the worker, of
/// which there are few, however many tasks wait.
namespace hotspare::detail {

using task::Step;

/// A task with limits was handed to this worker. It cannot be due before it has begun, so mostly a look that is due
/// anyway comes early enough.
void Engine::watch_limits(Worker& worker, const task::Limits& limits) {
  const std::int64_t shortest = limits.shortest();
  if (worker.look_at != 0 && shortest >= worker.looked_for) return;
  const std::int64_t at = os::monotonic_ns() + shortest;
  if (worker.look_at == 0 || at < worker.look_at) worker.look_at = at;
  worker.looked_for = shortest;
  arm_timer();
}

void Engine::arm_timer() {
  arm_due_ = arms_later_;
  if (arms_later_) return;
  std::int64_t first = alarms_.first();
  const auto consider = [&first](std::int64_t other) {
    if (other != 0 && (first == 0 || other < first)) first = other;
  };
  consider(leave_deadline_);
  consider(refill_at_);
  consider(trim_at_);
  consider(nursery_->due_at());
  consider(silence_at_);
  consider(kill_at_);
  consider(memory_pause_.until());
  consider(passing_pause_.until());
  consider(admission_.due_at());
  for (const auto& [id, worker] : workers_) {
    consider(worker->gone_by);
    consider(worker->look_at);
  }
  if (first == timer_at_) return;
  timer_at_ = first;
  if (!timer_->arm(first)) return note_loss();
  if (must_call_for_timer()) nudge_listener(*listeners_.front());
}

void Engine::on_timer() {
  const std::int64_t now = os::monotonic_ns();
  // Each of these by itself: one that fails must not keep the others from what is due.
  if (kill_at_ != 0 && kill_at_ <= now) take_step([this] { kill_all(); });
  take_step([&] { end_survivors(now); });
  take_step([&] {
    std::vector<child::Told> told;
    nursery_->on_timer(now, told);
    hear(std::move(told));
  });
  if (refill_at_ != 0 && now >= refill_at_) {
    refill_at_ = 0;
    take_step([this] { refill(); });
  }
  if (trim_at_ != 0 && now >= trim_at_) take_step([this] { give_back_warm_memory(); });
  for_each_worker([&](Worker& worker) {
    if (worker.look_at != 0 && worker.look_at <= now) take_step([&] { look_at_limits(worker, now); });
  });
  take_step([&] { admission_.on_time(now); });
  if (silence_at_ != 0 && silence_at_ <= now) take_step([&] { look_at_silence(now); });
  while (TaskRef task = alarms_.take_due(now)) take_step([&] { on_alarm(std::move(task)); });
  if (passing_pause_.until() != 0 && passing_pause_.until() <= now) take_step([this] { pass_again(); });
  take_step([&] { look_again_after_failure(now); });
  timer_at_ = 0;
  arm_timer();
  take_step([this] { pump(); });
}

/// Does what is due for the task that it runs, and sets when to look again.
void Engine::look_at_limits(Worker& worker, std::int64_t now) {
  worker.look_at = worker.looked_for = 0;
  for (std::uint64_t ticket = worker.account.head(); ticket != worker.account.tail(); ++ticket) {
    task::Attempt& attempt = worker.account.at(ticket);
    if (!attempt.task) continue;
    const task::Limits limits = attempt.task->limits();
    if (!limits.any()) continue;
    shm::TaskSlot& slot = worker.channel().slot(ticket);
    Step step{Step::Kind::nothing, now + limits.shortest(), 0};
    switch (look_at(worker, ticket)) {
      case task::Claim::nonsense: return;  // it has been ended
      case task::Claim::runs: {
        const std::int64_t told = slot.begun_at.load(std::memory_order_acquire);
        attempt.begun_at = task::begin_of(attempt.begun_at, told, now, attempt.task->site.many);
        step = task::next_step(
            now, {attempt.begun_at, worker.channel().progress.at_of(ticket), worker.told_to_stop == attempt.begun_at},
            limits);
        break;
      }
      default: break;
    }
    if (step.again_at != 0 && (worker.look_at == 0 || step.again_at < worker.look_at)) worker.look_at = step.again_at;
    worker.looked_for = worker.look_at == 0 ? 0 : worker.look_at - now;
    if (step.kind == Step::Kind::ask_to_stop) {
      worker.told_to_stop = attempt.begun_at;
      ask_to_stop(worker, slot.begun_at.load(std::memory_order_relaxed));
    } else if (step.kind != Step::Kind::nothing) {
      end_running(worker, ticket, step);
    }
    if (worker.state == workers::State::condemned) return;
  }
}

/// Told apart by its begin: the elements of a chunk have one ticket.
void Engine::ask_to_stop(Worker& worker, std::int64_t begun_at) {
  worker.channel().stop.ask(begun_at);
  if (const int signal = embedding().stop_signal; signal != 0) child::signal(worker, *nursery_, signal);
}

void Engine::end_running(Worker& worker, std::uint64_t ticket, const Step& why) {
  TaskRef late = condemn_attempt(worker, ticket);
  if (!late) return;  // it has just finished
  worker.look_at = 0;
  worker.evidence.limit = why.kind;
  worker.evidence.due_at = why.due_at;
  if (why.kind == Step::Kind::end_soft) worker.grace = late->limits().grace;
  lose(worker, std::move(late));
  end_worker(worker, death::EndedBy::deadline);
}

void Engine::on_alarm(TaskRef task) {
  if (task->settled()) return;
  if (task->extra().between == Between::pausing) {
    requeue(std::move(task));
  } else {
    expire_in_queue(std::move(task));
  }
}

/// Its queue_timeout is over. One that has begun before is in the queue for another attempt, which that does not concern.
void Engine::expire_in_queue(TaskRef task) {
  if (task->attempt != 0 || task->extra().alone || task->extra().between != Between::none) return;
  TaskRef expired = task->in != nullptr ? admission_.take(*task) : recall(*task);
  if (!expired) return;
  ++counts_.expired;
  using std::chrono::duration_cast;
  const auto limit = duration_cast<std::chrono::milliseconds>(task->extra().options.queue_timeout);
  refuse(std::move(expired), [&] {
    return QueueTimeout("task " + std::to_string(task->id) + " had not begun " + std::to_string(limit.count()) +
                        " ms after it was submitted (queue_timeout), and never will");
  });
}

}  // namespace hotspare::detail
