#include "child/ending.hpp"
#include "os/clock.hpp"
#include "supervisor/engine.hpp"

#include <vector>

/// The end of a shutdown that has waited long enough, and the signal before it.
namespace hotspare::detail {

/// Of several times the earliest counts.
void Engine::kill_at(std::int64_t when) {
  if (killed_) return;
  if (when <= os::monotonic_ns()) return kill_all();
  if (kill_at_ != 0 && kill_at_ <= when) return;
  kill_at_ = when;
  arm_timer();
}

/// What has not begun is cancelled, and every worker ended, whatever it does.
void Engine::kill_all() {
  killed_ = true;
  kill_at_ = 0;
  drop_unbegun(0);
  for_each_worker([this](Worker& worker) {
    if (worker.pid == 0 || worker.exited) return;  // one that is still to come is retired when it does
    if (worker.state != workers::State::condemned) {
      end_worker(worker, death::EndedBy::shutdown);
    } else if (!worker.held_for_stack) {
      kill(worker);
    } else {
      worker.grace = 0;
    }
  });
  drop_unbegun(0);  // what was taken back from them
}

void Engine::signal_running(int signal) {
  const Lock lock(mutex_);
  for (const auto& [id, worker] : workers_) {
    if (worker->state == workers::State::condemned || worker->pid == 0) continue;
    bool inside = false;
    for (std::uint64_t ticket = worker->account.head(); ticket != worker->account.tail() && !inside; ++ticket)
      inside = worker->account.look(ticket) == task::Claim::runs;
    if (inside) child::signal(*worker, *nursery_, signal);
  }
}

void signal_running(Engine& engine, int signal) { engine.signal_running(signal); }

}  // namespace hotspare::detail
