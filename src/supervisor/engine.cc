#include "supervisor/engine.hpp"

#include "child/room.hpp"
#include "death/spread.hpp"
#include "os/clock.hpp"
#include "os/cpus.hpp"
#include "os/memory_use.hpp"
#include "os/process.hpp"
#include "os/signals.hpp"
#include "os/thread.hpp"
#include "zygote/embedding.hpp"

#include <hotspare/error.hpp>

#include <algorithm>
#include <csignal>
#include <utility>

namespace hotspare::detail {
namespace {

constexpr unsigned most_workers = 4096;
constexpr std::int64_t longest_grace = std::int64_t{1} << 60;  // 36 years: added to a clock it fits

std::string why_no_room(std::size_t workers, std::size_t spares) {
  return child::why_no_room(workers + spares, os::descriptor_limit());
}

PoolOptions checked(PoolOptions options) {
  const std::size_t room = child::most_processes(os::descriptor_limit());
  if (options.workers == 0) {
    const std::size_t fit = room > options.spares ? room - options.spares : 1;
    options.workers = static_cast<unsigned>(std::min<std::size_t>(os::usable_cpus(), fit));
  }
  if (options.workers > most_workers) throw Error("PoolOptions::workers must be at most 4096");
  if (options.spares > most_workers) throw Error("PoolOptions::spares must be at most 4096");
  if (const std::string why = why_no_room(options.workers, options.spares); !why.empty()) throw Error(why);
  if (options.breaker_deaths == 0) throw Error("PoolOptions::breaker_deaths must be at least 1");
  if (!(options.retry_budget.tokens >= 0) || !(options.retry_budget.per_value >= 0))
    throw Error("PoolOptions::retry_budget: tokens and per_value must be 0 or more");
  if (const std::string why = zygote::why_not(zygote::image_of(options)); !why.empty()) throw Error(why);
  return options;
}

death::MemoryRule memory_rule(const PoolOptions& options) {
  const death::MemoryRule own{.budget = options.memory_budget, .reserve = options.memory_reserve};
  return own.any() || !os::group_is_ended_whole() ? own : death::last_resort(os::usable_memory());
}

}  // namespace

Engine::Engine(PoolOptions options)
    : Keeper({"pool \"" + options.name + '"', "pool", "worker"}),
      options_(checked(std::move(options))),
      payload_limit_(options_.payload_limit != 0 ? options_.payload_limit : os::usable_memory() / 4),
      most_payload_segments_(os::descriptor_limit() / 4),
      arena_(std::make_shared<shm::Arena>(shm::arena_limits())),
      admission_(queue_, options_.tags, [this] { arm_timer(); }),
      dispatcher_(options_.tasks_per_worker, os::usable_cpus()),
      retry_budget_(options_.retry_budget),
      quarantine_(options_.quarantine_deaths),
      memory_rule_(memory_rule(options_)),
      has_other_core_(os::usable_cpus() > 1),
      caller_spin_(has_other_core_),
      target_(options_.workers),
      breaker_(options_.breaker_deaths),
      host_runner_(mutex_, owner_, *this),
      memory_watch_(mutex_, memory_rule_, *this) {}

Engine::~Engine() {
  if (in_host()) arena_->close();
}

/// Before anything is looked at or locked: in a fork of the host a lock may be held by a thread that is not there.
void Engine::must_be_in_host() const {
  if (!in_host())
    throw Error("this process is a fork of the host of pool \"" + options_.name +
                "\": the pool's workers and results are the host's. Make a pool of its own");
}

void Engine::start() {
  const char* what = "a pool cannot be made";
  bells_fd_ = os::or_throw(os::make_memfd("hotspare-bells", sizeof(shm::Bells)), what);
  wishes_fd_ = os::or_throw(os::make_memfd("hotspare-wishes", sizeof(shm::Wishes)), what);
  bells_map_ =
      os::or_throw(os::Mapping::of(bells_fd_, sizeof(shm::Bells), os::Access::read_write, os::OnFork::drop), what);
  wishes_map_ =
      os::or_throw(os::Mapping::of(wishes_fd_, sizeof(shm::Wishes), os::Access::read_write, os::OnFork::drop), what);
  bells_ = bells_map_.as<shm::Bells>();
  wishes_ = wishes_map_.as<shm::Wishes>();
  wishes_->listener.store(shm::Ring::always);
  make_event_loop(what);
  // Once, below all tasks: whatever lies above them keeps the heap from shrinking, and a fork copies its page tables.
  heads_.reserve(std::size_t{target_} + options_.spares);
  waiters_.reserve(16);  // as many as most programs have
  try {
    start_nursery();  // before there are threads: a fork of this process is taken
    start_threads();
  } catch (...) {
    give_up_start();
    throw;
  }
  arena_->on_warm([this] {
    trim_wanted_.store(true, std::memory_order_relaxed);
    call_->notify();
  });
  registration_.open(options_.name, [this] { return stats(); });
}

/// As many as the workers wanted need, under the mutex. Throws Error; then there are as many as could be started.
void Engine::start_listeners() {
  if (sentries_) return sentries_->start(target_ + options_.spares);
  const bool many_words = os::can_wait_any();
  const std::size_t wanted = 1 + (many_words ? death::watchers(std::size_t{target_} + options_.spares) : 0);
  while (listeners_.size() < wanted) {
    auto listener = std::make_unique<Listener>();
    listener->primary = listeners_.empty();
    listener->words.reserve(2 + death::words_per_listener);
    listener->watched.reserve(death::words_per_listener);
    listener->thread = os::or_throw(os::start_thread([this, &here = *listener] { listen(here); }),
                                    "not enough workers can be watched");
    listeners_.push_back(std::move(listener));
  }
  if (!many_words) fall_back();
}

unsigned Engine::target() const {
  must_be_in_host();
  const std::lock_guard lock(mutex_);
  return target_;
}

void Engine::resize(unsigned workers) {
  must_be_in_host();
  if (workers == 0 || workers > most_workers) throw Error("the number of workers must be between 1 and 4096");
  const Lock lock(mutex_);
  if (!broken_.empty()) throw PoolBroken(broken_);
  if (closing_) throw PoolClosed("pool \"" + options_.name + "\" cannot be resized: it was shut down");
  if (const std::string why = why_no_room(workers, options_.spares); workers > target_ && !why.empty())
    throw Error("the pool cannot be made larger: " + why);
  const unsigned before = std::exchange(target_, workers);
  try {
    const os::SignalsBlocked blocked;
    start_listeners();
  } catch (...) {
    target_ = before;
    throw;
  }
  if (workers < before) vacancies_.clear();  // they may stay empty
  retire_surplus();
  promote();
  refill();
}

void Engine::shutdown(bool wait, bool cancel, std::size_t keep, std::optional<std::chrono::nanoseconds> grace) {
  if (!in_host()) return;  // it is not this process's to shut down
  {
    Lock lock(mutex_);
    closing_ = true;
    take_step([&] {
      if (cancel) drop_unbegun(keep);
      if (grace && !closed_) kill_at(os::monotonic_ns() + std::clamp(grace->count(), std::int64_t{0}, longest_grace));
    });
    room_.notify_all();
    started_.notify_all();
    nudge_supervisor();
    take_step([this] { end_without_descriptors(); });
  }
  if (!wait || on_own_thread()) return;
  const std::lock_guard one(joining_);
  if (supervisor_.joinable()) end_threads();
}

Stats Engine::stats() const {
  must_be_in_host();
  std::lock_guard lock(mutex_);
  Stats stats = counts_;
  stats.zygote_deaths = zygote_deaths_;
  stats.queued = queued();
  stats.workers = active_.size();
  stats.spares = spares_.size();
  stats.segment_bytes = arena_->bytes();
  return stats;
}

std::vector<std::int64_t> Engine::worker_pids() const {
  must_be_in_host();
  std::lock_guard lock(mutex_);
  std::vector<std::int64_t> pids;
  for (const Worker* worker : active_) pids.push_back(worker->pid);
  for (const Worker* worker : spares_) pids.push_back(worker->pid);
  return pids;
}

std::vector<std::int64_t> Engine::started_pids(std::size_t at_least) {
  must_be_in_host();
  Lock lock(mutex_);
  std::vector<std::int64_t> pids;
  await(started_, lock, [&] {
    pids.clear();
    for (const auto& [id, worker] : workers_)
      if (workers::counts(worker->state) && worker->pid != 0) pids.push_back(worker->pid);
    return pids.size() >= at_least || closing_ || !broken_.empty() || !no_process_.empty();
  });
  return pids;
}

std::string Engine::broken() const {
  must_be_in_host();
  const std::lock_guard lock(mutex_);
  return broken_;
}

std::int64_t Engine::zygote_pid() {
  must_be_in_host();
  Lock lock(mutex_);
  const auto pid = [this] { return nursery_ ? nursery_->zygote_pid() : 0; };
  started_.wait(lock, [&] { return pid() != 0 || closing_ || !broken_.empty() || !no_process_.empty(); });
  return pid();
}

}  // namespace hotspare::detail
