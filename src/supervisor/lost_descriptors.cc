#include "os/thread.hpp"
#include "supervisor/engine.hpp"

#include <hotspare/error.hpp>

#include <vector>

/// What becomes of a pool whose descriptors somebody else has closed: code that makes a daemon of the program closes all that
/// it finds. With their lifelines closed the workers end. A listener, who needs no descriptor, hears that; the supervisor,
/// whose poller has nothing left to tell of, never does.
namespace hotspare::detail {

/// Asked at a death: it is how such a loss shows.
bool Engine::has_lost_descriptors(const Worker& worker) const {
  return !poller_->fd().is_ours() || !supervisor_call_->fd().is_ours() || !timer_->fd().is_ours() ||
         (worker.pidfd && !worker.pidfd.is_ours());
}

/// Under the mutex. Nothing can be known of the workers any more: all that they have ends here.
void Engine::lose_descriptors() {
  if (descriptors_lost_) return;
  descriptors_lost_ = true;
  break_pool("pool \"" + options_.name +
             "\": this program has closed descriptors that are the pool's, as code does that makes a daemon of it "
             "(os.closerange, closefrom): its workers are gone. Make pools after that");
  std::vector<Worker*> all;
  for (const auto& [id, worker] : workers_) all.push_back(worker.get());
  for (Worker* worker : all) let_go(*worker);
  refuse_queued();
  os::cancel(supervisor_);
  end_without_descriptors();
}

void Engine::let_go(Worker& worker) {
  if (worker.state == workers::State::asked) {
    worker.step(workers::Event::reaped);
    return forget(worker);
  }
  if (worker.state != workers::State::condemned) condemn(worker);
  if (!worker.held_for_stack) bury(worker, {});  // who takes its stack buries it
}

/// What the supervisor would do, were there one.
void Engine::end_without_descriptors() {
  if (descriptors_lost_ && closing_ && !closed_ && closing_done()) end_on_callback_thread();
}

}  // namespace hotspare::detail
