#include "child/tags.hpp"
#include "metrics/subscribers.hpp"
#include "os/clock.hpp"
#include "os/thread.hpp"
#include "supervisor/engine.hpp"

#include <hotspare/error.hpp>

#include <array>
#include <csignal>
#include <system_error>

/// The event loop: waits, and passes each notice to the part that it concerns.
namespace hotspare::detail {

using child::Tag;

void Engine::supervise() {
  os::forbid_cancel();
  std::vector<std::byte> teed;
  for (;;) {
    auto ready = poller_->wait();
    bool done = false;
    {
      const Lock lock(mutex_);
      if (!ready || descriptors_lost_) return lose_descriptors();
      for (const os::Ready& notice : *ready) on_ready(notice);
      done = closing_ && closing_done();
      if (done) end_on_callback_thread();
      to_tee_.swap(teed);
    }
    os::write_stderr(teed);  // a terminal may be slow, and nobody waits for it
    teed.clear();
    if (done) return;
  }
}

void Engine::on_ready(const os::Ready& ready) {
  const Tag kind = child::kind_of(ready.tag);
  switch (kind) {
    case Tag::call: supervisor_call_->clear(); return watch_warm_memory();
    case Tag::timer: timer_->clear(); return on_timer();
    case Tag::nursery_message:
    case Tag::nursery_exit: {
      std::vector<child::Told> told;
      nursery_->on_ready(ready.tag, told);
      return hear(std::move(told));
    }
    case Tag::exit:
    case Tag::lifeline:
    case Tag::standard_error: break;
  }
  // It may have been forgotten by an earlier notice of the same batch.
  const auto found = workers_.find(child::process_of(ready.tag));
  if (found != workers_.end()) on_worker_event(kind, *found->second, ready);
}

void Engine::on_worker_event(Tag kind, Worker& worker, const os::Ready& ready) {
  switch (kind) {
    case Tag::exit:
      if (nursery_->has_ended(worker)) on_exit(worker);
      return;
    case Tag::lifeline:
      poller_->forget(worker.lifeline.fd());
      if (child::Nursery::ends_unseen(worker)) return on_exit(worker);
      // Files close after robust futexes are marked, so a dying worker shows here that it is dying; one that does not
      // has closed its descriptors and lives.
      if (worker.was_ready && !worker.life_lost() && !os::exited(worker.pidfd))
        end_worker(worker, death::EndedBy::lifeline);
      return;
    case Tag::standard_error:
      forward_stderr(worker);
      if (ready.hung_up && !ready.readable) poller_->forget(worker.stderr_pipe);
      return;
    default: return;
  }
}

/// One piece. False: there was nothing.
bool Engine::forward_stderr(Worker& worker) {
  std::array<std::byte, 4096> room;
  const std::size_t size = os::read_available(worker.stderr_pipe, room);
  worker.stderr_tail.add({room.data(), size});
  if (options_.worker_stderr == Stderr::tee) to_tee_.insert(to_tee_.end(), room.data(), room.data() + size);
  return size != 0;
}

void Engine::break_pool(const std::string& why) {
  if (!broken_.empty()) return;
  broken_ = why;
  Event event;
  event.kind = Event::Kind::broken;
  event.detail = why;
  tell(std::move(event));
  refuse_queued();
  room_.notify_all();
  started_.notify_all();
}

void Engine::refuse_queued() {
  give_up_retries();
  unpark_all();
  while (!queue_.empty()) refuse(queue_.pop_front(), std::make_exception_ptr(PoolBroken(broken_)));
}

void Engine::tell(Event event) {
  if (!options_.on_event && !metrics::anybody_listens()) return;
  event.at = std::chrono::steady_clock::now();
  event.source_name = options_.name;
  callbacks_.run([self = this, event = std::move(event)] {
    if (self->options_.on_event && !self->abandoned_.load(std::memory_order_acquire)) self->options_.on_event(event);
    metrics::publish(event);
  });
}

/// Not even SIGKILL ends them: they sit in an uninterruptible system call, say. Nobody waits for that.
void Engine::leave_the_unkillable() {
  std::vector<Worker*> all;
  for (const auto& [id, worker] : workers_) all.push_back(worker.get());
  for (Worker* worker : all) {
    if (worker->state == workers::State::asked) {
      worker->step(workers::Event::reaped);
      forget(*worker);
      continue;
    }
    if (worker->held_for_stack) continue;  // the coroner is about to come back
    if (worker->state != workers::State::condemned) condemn(*worker);
    bury(*worker, {});
  }
}

void Engine::watch_warm_memory() {
  if (!trim_wanted_.exchange(false, std::memory_order_relaxed)) return;
  trim_at_ = os::monotonic_ns() + 1;
  arm_timer();
}

/// Off the engine's threads: to free much takes milliseconds.
void Engine::give_back_warm_memory() {
  const auto trim = [this] { return arena_->trim(os::monotonic_ns()); };
  trim_at_ = 0;
  try {
    coroner_.run([this, trim] {
      const std::int64_t again = trim();
      if (again == 0) return;
      const Lock lock(mutex_);
      trim_at_ = again;
      arm_timer();
    });
  } catch (const std::system_error&) {
    trim_at_ = trim();  // no thread is to be had
  }
}

/// One step further towards the end, as far as it can go now. True when nothing is left.
bool Engine::closing_done() {
  if (closed_) return true;
  if (unsettled_ != 0) return false;
  std::vector<Worker*> all;
  for (const auto& [id, worker] : workers_) all.push_back(worker.get());
  for (Worker* worker : all)
    if (worker->state != workers::State::leaving && worker->state != workers::State::condemned) retire(*worker);
  if (!workers_.empty()) {
    constexpr std::int64_t grace_ns = 2'000'000'000;
    constexpr unsigned most_rounds = 5;
    const std::int64_t now = os::monotonic_ns();
    if (leave_deadline_ == 0) {
      leave_deadline_ = now + grace_ns;
      arm_timer();
    } else if (now >= leave_deadline_) {
      for (Worker* worker : all) {
        if (!worker->pidfd) continue;
        if (worker->state == workers::State::leaving) worker->evidence.ended_by = death::EndedBy::shutdown;
        kill(*worker);
      }
      ++leave_rounds_;
      leave_deadline_ = now + grace_ns;
      arm_timer();
    }
    if (leave_rounds_ < most_rounds) return false;
    leave_the_unkillable();
    if (!workers_.empty()) return false;
  }
  closed_ = true;
  return true;
}

}  // namespace hotspare::detail
