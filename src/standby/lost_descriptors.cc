#include "os/thread.hpp"
#include "standby/crew.hpp"

#include <vector>

/// As supervisor/lost_descriptors.cc, of a channel.
namespace hotspare::standby {

bool Crew::has_lost_descriptors(const Member& member) const {
  return !poller_->fd().is_ours() || !call_->fd().is_ours() || !timer_->fd().is_ours() ||
         (member.pidfd && !member.pidfd.is_ours());
}

/// Under the mutex. The replicas end with their lifelines.
void Crew::lose_descriptors() {
  if (descriptors_lost_) return;
  descriptors_lost_ = true;
  break_channel(
      "standby channel \"" + options_.name +
      "\": this program has closed descriptors that are the channel's, as code does that makes a daemon of it "
      "(os.closerange, closefrom): its replicas are gone. Make channels after that");
  std::vector<Member*> all;
  for (const auto& [id, member] : members_) all.push_back(member.get());
  for (Member* member : all) {
    if (member->state == State::asked) {
      abandon(*member);
      continue;
    }
    notice(*member);
    if (!member->held_for_stack) bury(*member, {});  // who takes its stack buries it
  }
  os::cancel(supervisor_);
  if (closing_) closing_done();
}

}  // namespace hotspare::standby
