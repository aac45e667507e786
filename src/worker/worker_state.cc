#include "worker/worker_state.hpp"

#include "os/futex.hpp"
#include "os/process.hpp"

#include <cstdio>

namespace hotspare::worker {

WorkerState state;

namespace {

void ring(std::atomic<std::uint32_t>& bell) noexcept {
  bell.fetch_add(1, std::memory_order_seq_cst);
  os::futex_wake(bell, 1, os::FutexScope::shared);
}

}  // namespace

void mark_as_worker() {
  auto page = os::Mapping::wiped_on_fork();
  if (!page) {
    std::fprintf(stderr, "hotspare worker cannot start: %s\n", page.failure().text().c_str());
    os::exit_now(126);
  }
  auto* mark = new os::Mapping(std::move(*page));  // lives as long as the process
  *mark->as<bool>() = true;
  state.is_worker = mark->as<bool>();
}

void ring_host() noexcept {
  // SYNC POINT request: after what is asked for. The listener reads it before it looks for that.
  state.bells->requests.fetch_add(1, std::memory_order_seq_cst);
  if (state.wishes->caller.load(std::memory_order_seq_cst) != 0) ring(state.bells->caller);
  ring(state.bells->listener);
}

void ring_listener() noexcept {
  if (state.requests != nullptr) state.requests->fetch_add(1, std::memory_order_seq_cst);  // SYNC POINT request
  ring(*state.host_bell);
}

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
