#include "workers/worker.hpp"

#include "os/robust_mutex.hpp"

#include <linux/futex.h>
#include <memory>
#include <new>

namespace hotspare::workers {
os::Result<Ties> Ties::make() {
  Ties ties;
  auto fd = os::make_memfd("hotspare-channel", sizeof(shm::Channel));
  if (!fd) return fd.failure();
  auto mapping = os::Mapping::of(*fd, sizeof(shm::Channel), os::Access::read_write, os::OnFork::drop);
  if (!mapping) return mapping.failure();
  auto process = child::Ties::make();
  if (!process) return process.failure();
  auto segments = os::make_message_sockets();
  if (!segments) return segments.failure();
  ties.channel_fd = std::move(*fd);
  ties.channel = std::make_shared<os::Mapping>(std::move(*mapping));
  ties.process = std::move(*process);
  ties.segments = std::move(*segments);
  // Fresh pages are zero, which is the initial value of everything in it but the mutex.
  os::make_robust_mutex(ties.channel->as<shm::Channel>()->life);
  return ties;
}

Worker::Worker(std::uint64_t worker_id, Ties worker_ties)
    : Process(worker_id, std::move(worker_ties.process)),
      Candidate(*worker_ties.channel->as<shm::Channel>()),
      ties(std::move(worker_ties)) {}

void Worker::step(Event event) {
  const auto to = next(state, event);
  HS_CHECK(to.has_value());
  state = *to;
  takes_tasks = runs_tasks(state);
}

bool Worker::life_lost() const {
  return (channel().life_word().load(std::memory_order_acquire) & FUTEX_OWNER_DIED) != 0;
}

void Worker::ring() {
  // SYNC POINT doorbell: after the store of what it is rung for.
  for (shm::Doorbell* bell : {&channel().task_bell, &channel().outbox_bell, &channel().lease_bell}) bell->ring();
}

}  // namespace hotspare::workers
