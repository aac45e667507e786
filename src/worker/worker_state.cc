#include "worker/worker_state.hpp"

#include "os/futex.hpp"

namespace hotspare::worker {

WorkerState state;

namespace {

void ring(std::atomic<std::uint32_t>& bell) noexcept {
  bell.fetch_add(1, std::memory_order_seq_cst);
  os::futex_wake(bell, 1, os::FutexScope::shared);
}

}  // namespace

void ring_host() noexcept {
  if (state.wishes->caller.load(std::memory_order_seq_cst) != 0) ring(state.bells->caller);
  ring(state.bells->listener);
}

void ring_listener() noexcept { ring(state.bells->listener); }

void ring_host_for_result(bool dry) noexcept {
  // SYNC POINT result-bell: the commit before and these loads against the host's wish and its look at the slot after.
  if (state.wishes->caller.load(std::memory_order_seq_cst) != 0) {
    ring(state.bells->caller);
    return;
  }
  const shm::Ring wish = state.wishes->listener.load(std::memory_order_seq_cst);
  if (wish == shm::Ring::always || (wish == shm::Ring::when_dry && dry)) ring(state.bells->listener);
}

}  // namespace hotspare::worker
