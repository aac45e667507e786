#include "child/ending.hpp"
#include "os/futex.hpp"
#include "os/process.hpp"
#include "standby/crew.hpp"
#include "task/interruptible.hpp"

#include <hotspare/error.hpp>

#include <algorithm>
#include <climits>
#include <csignal>
#include <string>

/// What others ask of the crew: the caller's thread, which neither locks nor waits, and any other.
namespace hotspare::standby {

/// Whether it owes something: an answer, or, parked, the note that it knows who is at the helm now.
bool Crew::behind(const Lane& lane, unsigned number, std::uint64_t block) const noexcept {
  const std::uint64_t joined = joined_at_[number].load(std::memory_order_acquire);
  const std::uint64_t done = std::max(lane.done.load(std::memory_order_acquire), joined);
  if (options_.mode == StandbyMode::lockstep) return done < block;
  const Helm helm = Helm::unpack(shared_.bells().helm.load(std::memory_order_acquire));
  if (helm.lane == number) return done < block;
  if (lane.begun.load(std::memory_order_acquire) > done) return true;
  return lane.seen_term.load(std::memory_order_acquire) < helm.term;
}

std::int64_t Crew::stuck_for(unsigned number, std::uint64_t block, std::int64_t now) noexcept {
  const Lane& lane = shared_.lane(number);
  const std::uint64_t marker = lane.done.load(std::memory_order_acquire) + (lane.seen_term.load() << 32);
  const std::int64_t stuck = progress_[number].look(marker, behind(lane, number, block), now);
  // The helm may have been moved by one who wrote where it should not have, and rang for nobody.
  if (options_.mode != StandbyMode::lockstep && stuck >= options_.hang_after.count() / 2) shared_.wake_parked();
  stuck_since_[number].store(now - stuck, std::memory_order_relaxed);
  stuck_[number].store(stuck, std::memory_order_release);
  return stuck;
}

void Crew::suspect(unsigned lane) noexcept {
  const std::uint32_t bit = 1u << lane;
  if ((suspects_.fetch_or(bit, std::memory_order_acq_rel) & bit) == 0) call_supervisor();
}

std::uint32_t Crew::next_at_helm(std::uint32_t after) const noexcept {
  const unsigned lanes = shared_.geometry().lanes;
  for (unsigned step = 1; step <= lanes; ++step) {
    const unsigned lane = (after == Helm::nobody ? step - 1 : after + step) % lanes;
    if (lane != after && watched(lane)) return lane;
  }
  return Helm::nobody;
}

StandbyStats Crew::stats() const {
  const Lock lock(mutex_);
  for (const auto& [id, member] : members_) note_lost_state(*member);
  StandbyStats stats = counts_;
  stats.zygote_deaths = zygote_deaths_;
  stats.in_step = in_step_;
  stats.spares = static_cast<std::uint64_t>(std::count_if(members_.begin(), members_.end(), [](const auto& entry) {
    return entry.second->state == State::spare && entry.second->spare && !entry.second->leaving;
  }));
  stats.rejoin = rejoin_.copy();
  stats.takeover = takeover_clock_.copy();
  return stats;
}

std::vector<std::int64_t> Crew::pids() const {
  const Lock lock(mutex_);
  std::vector<std::int64_t> pids;
  for (const auto& [id, member] : members_)
    if (member->state == State::in_step) pids.push_back(member->pid);
  return pids;
}

bool Crew::wait_in_step(unsigned replicas) const {
  if (replicas > options_.replicas)
    throw Error("StandbyChannel::wait_in_step: " + std::to_string(replicas) +
                " replicas will never be in step, for \"" + options_.name + "\" is to have " +
                std::to_string(options_.replicas) + " (StandbyOptions::replicas)");
  for (;;) {
    const std::uint32_t seen = changes_.load(std::memory_order_acquire);
    {
      const Lock lock(mutex_);
      if (in_step_ >= replicas) return true;
      if (closing_ || !broken_.empty()) return false;
    }
    hotspare::detail::sleep_interruptibly(changes_, seen, [this] { wake_waiters(); });
  }
}

/// With the mutex held, unless it is only to look again: who waits looks under it.
void Crew::wake_waiters() const {
  changes_.fetch_add(1, std::memory_order_release);
  os::futex_wake(changes_, INT_MAX, os::FutexScope::process);
}

/// Each in turn; where one works, that one. A death from outside comes at once, whatever the replica does; the others in its
/// next block.
std::int64_t Crew::strike(chaos::How how) {
  const Lock lock(mutex_);
  const Helm helm = Helm::unpack(shared_.bells().helm.load(std::memory_order_acquire));
  Member* victim = nullptr;
  for (const auto& [id, member] : members_) {
    const bool works = options_.mode == StandbyMode::lockstep || member->lane == helm.lane;
    if (member->state != State::in_step || !works) continue;
    if (victim == nullptr || (victim->id <= last_struck_ && id > last_struck_)) victim = member.get();
  }
  if (victim == nullptr) return 0;
  last_struck_ = victim->id;
  victim->struck = true;
  if (how == chaos::How::sigkill) {
    victim->evidence.struck_at = os::monotonic_ns();
    kill(*victim);
  } else if (how == chaos::How::stop) {
    child::signal(*victim, *nursery_, SIGSTOP);
  } else {
    shared_.lane(victim->lane).strike.store(1 + static_cast<std::uint32_t>(how), std::memory_order_seq_cst);
  }
  return victim->pid;
}

std::string Crew::broken() const {
  const Lock lock(mutex_);
  return broken_;
}

}  // namespace hotspare::standby
