#include "standby/claims.hpp"

#include "os/process.hpp"
#include "standby/crew.hpp"

#include <csignal>

/// A replica that writes what cannot be into its lane is ended before anybody acts upon it.
namespace hotspare::standby {

Known Crew::known_of(const Member& member) const {
  const Geometry& geometry = shared_.geometry();
  Known known;
  known.newest = shared_.blocks().newest.load(std::memory_order_acquire);
  known.tickets = last_ticket_;
  known.state_bytes = geometry.state_bytes;
  known.history = geometry.history;
  known.least_done = member.least_done;
  known.is_spare = member.spare;
  known.awaits_state = member.plan == Plan::load;
  known.newest_when_asked = member.newest_when_asked;
  known.begins_without = options_.mode != StandbyMode::lockstep || member.plan == Plan::replay;
  return known;
}

/// For the caller, who looks at numbers of blocks only: the crew looks closer.
bool Crew::overreaches(unsigned number, std::uint64_t block) const noexcept {
  const Lane& lane = shared_.lane(number);
  return lane.answered.load(std::memory_order_relaxed) > block || lane.done.load(std::memory_order_relaxed) > block ||
         lane.begun.load(std::memory_order_relaxed) > block;
}

/// False: it does not, and is being ended.
bool Crew::talks_sense(Member& member) {
  const Claim claim = Claim::of(shared_.lane(member.lane));
  const char* const why = nonsense(claim, known_of(member));
  if (why != nullptr) {
    end_nonsense(member, why);
    return false;
  }
  const std::uint64_t back = most_steps_back(options_.mode, shared_.geometry());
  member.least_done = claim.done > back ? claim.done - back : 0;
  return true;
}

void Crew::end_nonsense(Member& member, const std::string& why) {
  member.evidence.ended_by = death::EndedBy::protocol;
  try {
    member.evidence.protocol_error = why;
  } catch (const std::bad_alloc&) {  // then it is not told
  }
  notice(member);
  kill(member);
}

/// Counted where it happened; taken over here.
void Crew::note_lost_state(const Member& member) const {
  const std::uint32_t lost = shared_.lane(member.lane).lost_state.exchange(0, std::memory_order_relaxed);
  const Known known = known_of(member);
  if (lost <= most_lost_states(known)) counts_.states_lost += lost;
}

}  // namespace hotspare::standby
