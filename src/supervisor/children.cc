#include "supervisor/engine.hpp"

#include <linux/futex.h>
#include <utility>

/// What the pool decides about its children, where it does not do as every keeper does.
namespace hotspare::detail {

/// Before the pool has threads.
void Engine::start_nursery() {
  zygote::Setup setup = zygote::setup_of(options_, zygote::Breed::workers);
  if (options_.initializer != nullptr) setup.initializer = locate(reinterpret_cast<const void*>(options_.initializer));
  setup.has_other_core = has_other_core_;
  nursery_.emplace(*poller_, child::Nursery::Plan{zygote::image_of(options_), setup});
  auto started = nursery_->start();
  if (started) return;
  if (!options_.run_in_host) {
    os::or_throw(std::move(started), "a pool cannot be made");
    return;
  }
  nursery_->leave().wait();
  no_process(started.failure().text());
}

child::Process* Engine::child(std::uint64_t id) {
  const auto found = workers_.find(id);
  return found != workers_.end() ? found->second.get() : nullptr;
}

child::Process* Engine::child_after(std::uint64_t id) {
  const auto next = workers_.upper_bound(id);
  return next != workers_.end() ? next->second.get() : nullptr;
}

void Engine::on_forked(child::Process& process) {
  Worker& worker = worker_of(process);
  worker.ties.channel_fd.reset();
  worker.ties.segments.theirs.reset();
  ++counts_.forks;
}

void Engine::on_born(child::Process& process) {
  Worker& worker = worker_of(process);
  step(worker, workers::Event::spawned);
  refusal_told_ = false;
  roster_changed(worker);
  if (worker.listener != 0U) nudge_listener(*listeners_.front());  // who looks for losses
  started_.notify_all();
  if (finishing() || killed_) retire(worker);
  note_ready(worker);
  refill();
  if (!finishing()) nursery_->want_standby();  // there may have been none to be had
}

void Engine::abandon(child::Process& process) {
  Worker& worker = worker_of(process);
  step(worker, workers::Event::reaped);
  forget(worker);
}

bool Engine::is_heard(const child::Process& process) const {
  const auto& worker = static_cast<const Worker&>(process);
  constexpr std::uint32_t taken = FUTEX_TID_MASK | FUTEX_OWNER_DIED;
  return worker.state == workers::State::condemned ||
         (worker.channel().life_word().load(std::memory_order_acquire) & taken) != 0;
}

bool Engine::has_last_words(const child::Process& process) const {
  return static_cast<const Worker&>(process).channel().last_words.spoken();
}

/// Files close after robust futexes are marked, so a dying worker shows here that it is dying; one that does not has closed
/// its descriptors and lives.
void Engine::on_lifeline_closed(child::Process& process) {
  Worker& worker = worker_of(process);
  if (worker.was_ready && !worker.life_lost() && !os::exited(worker.pidfd))
    end_worker(worker, death::EndedBy::lifeline);
}

void Engine::notice(child::Process& process) { notice_death(worker_of(process)); }

void Engine::bury(child::Process& process, const os::ExitStatus& status) { bury(worker_of(process), status); }

/// Where tasks may run in the host, they do so at once.
void Engine::note_refusal(const std::string& what) {
  if (workers_.empty() && options_.run_in_host) no_process(what);
  if (std::exchange(refusal_told_, true)) return;
  tell(Event::Kind::unavailable, [&](Event& event) { event.detail = what + "; it is tried again until it succeeds"; });
}

}  // namespace hotspare::detail
