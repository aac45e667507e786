#include "standby/shared.hpp"

#include "os/check.hpp"
#include "os/memory_use.hpp"
#include "os/realtime.hpp"
#include "os/robust_mutex.hpp"
#include "standby/ring.hpp"

#include <hotspare/error.hpp>

#include <climits>
#include <cstring>
#include <memory>
#include <new>

namespace hotspare::standby {
namespace {

constexpr const char* what = "a standby channel cannot be made";

os::Mapping map(const os::Fd& fd, std::size_t size) {
  auto mapping = os::or_throw(os::Mapping::of(fd, size, os::Access::read_write, os::OnFork::drop), what);
  os::populate(mapping.bytes());
  return mapping;
}

/// All of it is made to be there at once: a page that comes when a block is due comes too late.
void must_fit(std::uint64_t bytes) {
  const std::uint64_t left = os::available_memory();
  if (bytes <= left) return;
  throw Error(
      std::string(what) + ": its blocks, states and results take " + std::to_string(bytes >> 20) +
      " MB in all, and this process has " + std::to_string(left >> 20) +
      " MB left (of the machine's memory or its cgroup's). Smaller blocks or states, a shorter history or fewer "
      "replicas take less");
}

}  // namespace

Shared::Shared(const Geometry& geometry, std::span<const std::byte> arguments, bool lock)
    : geometry_(geometry), layout_(geometry) {
  must_fit(layout_.blocks_bytes() + layout_.lanes_bytes());
  blocks_fd_ = os::or_throw(os::make_memfd("hotspare-blocks", layout_.blocks_bytes()), what);
  bells_fd_ = os::or_throw(os::make_memfd("hotspare-standby-bells", sizeof(Bells)), what);
  lanes_fd_ = os::or_throw(os::make_memfd("hotspare-lanes", layout_.lanes_bytes()), what);
  blocks_ = map(blocks_fd_, layout_.blocks_bytes());
  bells_ = map(bells_fd_, sizeof(Bells));
  lanes_ = map(lanes_fd_, layout_.lanes_bytes());
  new (blocks_.data()) Blocks();
  new (bells_.data()) Bells();
  blocks().geometry = geometry_;
  if (!arguments.empty()) std::memcpy(blocks_.data() + layout_.arguments_at(), arguments.data(), arguments.size());
  for (unsigned lane = 0; lane < geometry_.lanes; ++lane) {
    new (&this->lane(lane)) Lane();
    renew(lane);
  }
  if (!lock) return;
  for (const os::Mapping* mapping : {&blocks_, &bells_, &lanes_})
    if (const auto locked = os::lock_pages(mapping->bytes()); !locked) not_locked_ = locked.failure().text();
}

void Shared::renew(unsigned number) const {
  Lane& lane = this->lane(number);
  lane.answered.store(0);
  lane.begun.store(0);
  lane.seal.store(lane_seal);
  lane.done.store(0);
  lane.phase.store(Phase::starting);
  lane.pid.store(0);
  lane.seen_term.store(0);
  lane.lost_state.store(0);
  lane.threads.store(0);
  lane.refused.store(0);
  lane.fork_failed.store(0);
  lane.saves_refused.store(0);
  lane.committed.store(0);
  for (StateAt& state : lane.states) state = {};
  lane.order.store(0);
  lane.source.store(0);
  lane.begin.store(0);
  lane.part.store(Part::regular);
  lane.strike.store(0);
  // The whole only if somebody died with words: these are many pages, and the caller's are never taken away.
  worker::LastWords& words = lane.last_words;
  if (words.claimed.load() != 0 || words.script_stack_told.load() != 0) new (&words) worker::LastWords();
  words.kind.store(worker::LastWordsKind::none);
  words.script_stack[0] = '\0';
  words.stack.complete.store(0);
  words.stack.claimed.store(0);
  os::make_robust_mutex(lane.life_for_host);
  os::make_robust_mutex(lane.life_for_parked);
}

void Shared::wake_working() const noexcept { ring(blocks().bell, INT_MAX); }

void Shared::wake_parked() const noexcept { ring(bells().parked, INT_MAX); }

}  // namespace hotspare::standby
