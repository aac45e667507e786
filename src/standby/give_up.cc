#include "os/clock.hpp"
#include "standby/crew.hpp"
#include "standby/decide.hpp"
#include "standby/ring.hpp"

#include <algorithm>

/// What is not tried again: a processor that crashes again and again.
namespace hotspare::standby {

void Crew::note_death(const Member& member) {
  try {
    recent_deaths_.push_back(member.noticed_at);
  } catch (const std::bad_alloc&) {  // one less in a row
  }
  while (recent_deaths_.size() > options_.most_deaths) recent_deaths_.pop_front();
}

/// Bypassing what crashes again and again is better than a stream with a hole every second.
void Crew::give_up_if_too_many_died() {
  if (!broken_.empty() || !too_many_died(recent_deaths_, options_.most_deaths, options_.deaths_within.count())) return;
  break_channel("standby channel \"" + options_.name + "\" gives up: " + std::to_string(options_.most_deaths) +
                " replicas died within " + std::to_string(options_.deaths_within.count() / 1'000'000) +
                " ms (StandbyOptions::most_deaths); the last one: " + last_death_);
  for (const auto& [id, member] : members_) {
    if (member->leaving || member->state == State::condemned) continue;
    joined_at_[member->lane].store(unwatched, std::memory_order_release);
    dismiss(*member);
  }
  arm_timer();
}

/// The caller needs not wait for a deadline then.
void Crew::note_if_deserted() {
  const bool anybody = std::any_of(members_.begin(), members_.end(), [](const auto& entry) {
    return counts(entry.second->state) && !entry.second->leaving;
  });
  if (broken_.empty() || anybody || deserted()) return;
  // SYNC POINT nobody-answers: seen by StandbyCore::nobody_will_answer.
  deserted_.store(true, std::memory_order_seq_cst);
  ring(shared_.bells().caller, 1);
}

}  // namespace hotspare::standby
