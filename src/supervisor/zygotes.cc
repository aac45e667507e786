#include "os/clock.hpp"
#include "os/process.hpp"
#include "supervisor/engine.hpp"

#include <cstring>
#include <variant>

/// What the pool hears from its nursery. A zygote's death costs nothing but the time of a refill, and running workers go
/// on.
namespace hotspare::detail {

namespace told = child::told;

zygote::Setup Engine::make_setup() const {
  zygote::Setup setup;
  if (options_.preload != nullptr) setup.preload = locate(reinterpret_cast<const void*>(options_.preload));
  if (options_.initializer != nullptr) setup.initializer = locate(reinterpret_cast<const void*>(options_.initializer));
  setup.host = os::own_pid();
  std::strncpy(setup.name, options_.name.c_str(), sizeof setup.name - 1);
  return setup;
}

/// Before the pool has threads.
void Engine::start_nursery() {
  nursery_.emplace(*poller_, child::Nursery::Plan{zygote::image_of(options_), make_setup()});
  auto started = nursery_->start();
  if (started) return;
  if (!options_.run_in_host) os::or_throw(std::move(started), "a pool cannot be made");
  nursery_->leave().wait();
  no_process(started.failure().text());
}

void Engine::hear(std::vector<child::Told> told) {
  for (child::Told& each : told) std::visit([this](auto& what) { on_told(what); }, each);
  if (nursery_->due_at() != 0) arm_timer();
  started_.notify_all();
}

void Engine::on_told(told::Ready& /*told*/) {
  refill();
  if (!finishing()) nursery_->want_standby();  // after the workers: somebody may be waiting for those
}

void Engine::on_told(told::Spawned& told) { on_spawned(told.id, told.pid, std::move(told.pidfd), told.parent); }

void Engine::on_told(told::Refused& told) {
  if (const auto found = workers_.find(told.id); found != workers_.end()) {
    found->second->step(workers::Event::reaped);
    forget(*found->second);
  }
  on_refusal(told.why);
}

void Engine::on_told(told::Reaped& told) {
  if (const auto found = workers_.find(told.id); found != workers_.end()) bury(*found->second, told.status);
}

/// Those it had not yet forked are forgotten: should one exist after all, the end of its lifeline ends it. The others are
/// the seed's now, of whom the status of those is asked again that the dead one may have taken with it.
void Engine::on_told(told::ZygoteDied& told) {
  std::vector<Worker*> unborn;
  std::vector<Worker*> unreaped;
  for (const auto& [id, worker] : workers_) {
    if (worker->parent != told.pid) continue;
    if (worker->state == workers::State::asked) {
      unborn.push_back(worker.get());
      continue;
    }
    nursery_->foster(id, *worker);
    if (worker->reap_asked) unreaped.push_back(worker.get());
  }
  for (Worker* worker : unborn) {
    worker->step(workers::Event::reaped);
    forget(*worker);
  }
  for (Worker* worker : unreaped) {
    worker->reap_asked = false;
    ask_reap(*worker);
  }
  if (finishing()) return;
  ++counts_.zygote_deaths;
  Event event;
  event.kind = Event::Kind::zygote_died;
  event.pid = told.pid;
  std::vector<child::Told> next;
  event.detail = nursery_->replace(next);
  tell(std::move(event));
  hear(std::move(next));
}

void Engine::on_told(told::NoZygote& told) {
  no_process("pool \"" + options_.name + "\": no more workers can be made: " + told.why);
}

void Engine::on_told(told::Broken& told) {
  break_pool("pool \"" + options_.name + "\": no worker can be forked: " + told.why);
}

/// A worker could not be made, for now: it is tried again. Where there never was one, that is an error soon; and where tasks
/// may run in the host, they do so at once.
void Engine::on_refusal(const std::string& why) {
  constexpr std::int64_t patience_ns = 3'000'000'000;
  const std::string text = "pool \"" + options_.name + "\": no worker can be forked: " + why;
  if (workers_.empty() && options_.run_in_host) no_process(text);
  if (workers_.empty() && !had_worker_ && nursery_->refused_for(os::monotonic_ns()) > patience_ns) break_pool(text);
  if (!std::exchange(refusal_told_, true)) {
    Event event;
    event.kind = Event::Kind::unavailable;
    event.detail = text + "; it is tried again until it succeeds";
    tell(std::move(event));
  }
  arm_timer();
}

}  // namespace hotspare::detail
