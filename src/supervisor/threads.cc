#include "os/missing.hpp"
#include "os/signals.hpp"
#include "os/thread.hpp"
#include "supervisor/engine.hpp"

/// The engine's threads, from the first to the last. All are there before anything depends on them, so that one which is
/// refused refuses the pool; and whoever destroys the pool on one of them does not wait for himself.
namespace hotspare::detail {
namespace {

constexpr const char* refused = "a pool cannot be made";

}  // namespace

/// After the processes: a fork of this one is taken for them. The supervisor is last: before it nothing happens.
void Engine::start_threads() {
  const std::string whose = "pool \"" + options_.name + "\"";
  end_in_background_.emplace_back([this] {
    std::shared_ptr<Engine> self;  // may be the last one: goes after the locks
    const std::lock_guard one(joining_);
    end_threads();
    const Lock lock(mutex_);
    self.swap(last_owner_);
  });
  os::or_throw(callbacks_.start(whose), refused);
  os::or_throw(coroner_.start(whose), refused);
  if (options_.run_in_host) host_runner_.start(refused);
  // The host's signal handlers run in its own threads.
  const os::SignalsBlocked blocked;
  const Lock lock(mutex_);  // none of them looks before all are there
  memory_watch_.start(refused);
  listeners_.reserve(most_listeners);  // others refer to them without the mutex
  start_listeners();
  supervisor_ = os::or_throw(os::start_thread([this] {
                               tell_what_is_missing();
                               supervise(mutex_);
                             }),
                             refused);
}

/// The pool is not to be had, and nobody has asked for a worker yet.
void Engine::give_up_start() {
  {
    const Lock lock(mutex_);
    closing_ = closed_ = true;
  }
  end_threads();
}

child::Leaving Engine::see_nursery_off() {
  const Lock lock(mutex_);
  return nursery_ ? nursery_->leave() : child::Leaving();
}

/// Whatever of it is there. The supervisor has come to its end, or was never started.
void Engine::end_threads() {
  if (supervisor_.joinable()) supervisor_.join();
  child::Leaving leaving = see_nursery_off();  // they go while our threads do
  for (auto& listener : listeners_) {
    nudge_listener(*listener);
    if (listener->thread.joinable()) listener->thread.join();
  }
  if (sentries_) sentries_->end();
  host_runner_.end();
  memory_watch_.end();
  coroner_.stop();
  arena_->close();
  leaving.wait();
  {
    const Lock lock(mutex_);
    nursery_.reset();
    graveyard_.clear();
    // A pool that is closed may be kept for long, by its futures too: it holds no descriptors.
    poller_.reset();
    call_.reset();
    timer_.reset();
    bells_fd_.reset();
    wishes_fd_.reset();
  }
  registration_.close();  // nobody is left who could count
  callbacks_.stop();
}

/// The pool's owner has let go of it on a thread of its own. It goes on until its tasks have settled; who is left then to
/// end the others is the thread that runs callbacks.
void Engine::close_in_background(std::shared_ptr<Engine> self) {
  shutdown(false, false);
  const Lock lock(mutex_);
  abandoned_.store(true, std::memory_order_release);
  last_owner_ = std::move(self);
  if (closed_) end_on_callback_thread();
}

/// Under the mutex, when all has settled.
void Engine::end_on_callback_thread() {
  if (last_owner_ != nullptr) callbacks_.run(end_in_background_);
}

}  // namespace hotspare::detail
