#include "child/keeper.hpp"
#include "os/thread.hpp"

#include <string>

/// What becomes of a pool or channel whose descriptors somebody else has closed: code that makes a daemon of the program closes
/// all that it finds. With their lifelines closed the children end. A listener, who needs no descriptor, hears that; the
/// supervisor, whose poller has nothing left to tell of, never does.
namespace hotspare::child {

bool Keeper::has_lost_descriptors(const Process& process) const {
  return !poller_->fd().is_ours() || !call_->fd().is_ours() || !timer_->fd().is_ours() ||
         (process.pidfd && !process.pidfd.is_ours());
}

void Keeper::lose_descriptors() {
  if (descriptors_lost_) return;
  descriptors_lost_ = true;
  const std::string kind = words_.kind;
  break_down(words_.name + ": this program has closed descriptors that are the " + kind +
             "'s, as code does that makes a daemon of it (os.closerange, closefrom): its " + words_.child +
             "s are gone. Make " + kind + "s after that");
  for_each_child([this](Process& each) { bury_untold(each); });
  on_all_buried();
  os::cancel(supervisor_);
  end_without_descriptors();
}

void Keeper::end_without_descriptors() {
  if (descriptors_lost_) static_cast<void>(is_over());
}

}  // namespace hotspare::child
