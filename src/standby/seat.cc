#include "standby/seat.hpp"

#include "os/process.hpp"
#include "os/socket.hpp"
#include "worker/crash_handler.hpp"
#include "worker/worker_state.hpp"

#include <cstdio>
#include <linux/futex.h>
#include <string>

namespace hotspare::standby {
namespace {

template <class T>
T must(os::Result<T> result) {
  if (!result) {
    std::fprintf(stderr, "hotspare replica cannot start: %s\n", result.failure().text().c_str());
    os::exit_now(126);
  }
  return std::move(*result);
}

os::Mapping map(const os::Fd& fd, std::size_t size, os::Access access) {
  return must(os::Mapping::of(fd, size, access, os::OnFork::drop));
}

Geometry read_geometry(const os::Fd& fd) {
  return map(fd, sizeof(Blocks), os::Access::read).as<const Blocks>()->geometry;
}

/// The kernel wakes a waiter only if the word says that there is one. Nobody unlocks it, so that nobody is misled.
void hold(pthread_mutex_t& life, std::atomic<std::uint32_t>& word) {
  ::pthread_mutex_lock(&life);
  word.fetch_or(FUTEX_WAITERS, std::memory_order_acq_rel);
}

}  // namespace

Seat::Seat(const ReplicaStart& start, std::vector<os::Fd>& fds)
    : number_(start.lane),
      lifeline_(std::move(fds[zygote::replica_lifeline_fd])),
      orders_(std::move(fds[zygote::replica_orders_fd])),
      layout_(read_geometry(fds[zygote::replica_blocks_fd])) {
  blocks_ = map(fds[zygote::replica_blocks_fd], layout_.blocks_bytes(), os::Access::read);
  bells_ = map(fds[zygote::replica_bells_fd], sizeof(Bells), os::Access::read_write);
  lanes_ = map(fds[zygote::replica_lanes_fd], layout_.lanes_bytes(), os::Access::read);
  own_ = must(os::Mapping::of_part(fds[zygote::replica_lanes_fd], layout_.lane_at(number_), layout_.lane_bytes(),
                                   os::Access::read_write, os::OnFork::drop));
}

std::unique_ptr<Seat> Seat::take(const ReplicaStart& start, std::vector<os::Fd> fds) {
  // Its own group: what it starts can be ended with it.
  must(os::become_group_leader());
  must(os::arm_lifeline(fds[zygote::replica_lifeline_fd]));
  os::redirect_stderr(fds[zygote::replica_stderr_fd]);
  os::set_title(std::string(start.setup.name) + "-" + std::to_string(start.id));
  os::forbid_core_dumps();
  os::offer_to_oom_killer();
  os::allow_tracer(start.setup.host);
  std::unique_ptr<Seat> seat(new Seat(start, fds));
  // A fork has none of these in its page tables, and two replicas that come to the same block's page at once wait for each
  // other there.
  os::populate(seat->own_.bytes());
  os::populate(seat->bells_.bytes());
  os::populate_for_reading(seat->blocks_.bytes());
  for (std::uint32_t lane = 0; lane < seat->geometry().lanes; ++lane)
    os::populate_for_reading({seat->lanes_.data() + seat->layout_.lane_at(lane), seat->layout_.lane_head_bytes()});
  worker::state.last_words = &seat->lane().last_words;
  worker::state.host_bell = &seat->bells().host;
  worker::mark_as_worker();
  worker::install_crash_handler();
  hold(seat->lane().life_for_host, seat->lane().host_word());
  hold(seat->lane().life_for_parked, seat->lane().parked_word());
  return seat;
}

}  // namespace hotspare::standby
