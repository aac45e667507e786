#include "os/clock.hpp"
#include "os/process.hpp"
#include "standby/crew.hpp"

#include <hotspare/error.hpp>

#include <cstring>
#include <utility>
#include <variant>

/// What the channel hears from its nursery. Replicas go on whatever becomes of that.
namespace hotspare::standby {

namespace told = child::told;

zygote::Setup Crew::make_setup() const {
  zygote::Setup setup;
  setup.breed = zygote::Breed::replicas;
  if (options_.preload != nullptr)
    setup.preload = hotspare::detail::locate(reinterpret_cast<const void*>(options_.preload));
  setup.host = os::own_pid();
  std::strncpy(setup.name, options_.name.c_str(), sizeof setup.name - 1);
  return setup;
}

void Crew::start_nursery() {
  const zygote::Image image = zygote::image_of(options_);
  if (const std::string why = zygote::why_not(image); !why.empty()) throw Error(why);
  nursery_.emplace(*poller_, child::Nursery::Plan{image, make_setup()});
  os::or_throw(nursery_->start(), "a standby channel cannot be made");
}

void Crew::hear(std::vector<child::Told> told) {
  for (child::Told& each : told) std::visit([this](auto& what) { on_told(what); }, each);
  if (nursery_->due_at() != 0) arm_timer();
}

void Crew::on_told(told::Ready& /*told*/) {
  refill();
  if (!closing_) nursery_->want_standby();
}

void Crew::on_told(told::Spawned& told) { on_spawned(told.id, told.pid, std::move(told.pidfd), told.parent); }

void Crew::on_told(told::Refused& told) {
  bool heir = false;
  if (const auto found = members_.find(told.id); found != members_.end()) {
    heir = std::exchange(found->second->donor, 0) != 0;  // the zygote has forgotten it
    abandon(*found->second);
  }
  if (heir) return refill();  // it died before it was adopted
  on_refusal(told.why);
}

void Crew::on_told(told::Reaped& told) {
  if (const auto found = members_.find(told.id); found != members_.end()) bury(*found->second, told.status);
}

void Crew::on_told(told::ZygoteDied& told) {
  std::vector<Member*> unborn;
  std::vector<Member*> unreaped;
  for (const auto& [id, member] : members_) {
    if (member->parent != told.pid) continue;
    const bool never_born = member->state == State::asked && (member->donor == 0 || member->adoption_asked);
    if (never_born) {
      unborn.push_back(member.get());
      continue;
    }
    nursery_->foster(id, *member);
    if (member->state == State::asked) tell_parent(*member, zygote::Ask::expect_heir);  // an heir, which it forgot
    if (member->reap_asked) unreaped.push_back(member.get());
  }
  for (Member* member : unborn) abandon(*member);
  for (Member* member : unreaped) {
    member->reap_asked = false;
    ask_reap(*member);
  }
  if (closing_) return;
  ++counts_.zygote_deaths;
  hotspare::Event event;
  event.kind = hotspare::Event::Kind::zygote_died;
  event.pid = told.pid;
  std::vector<child::Told> next;
  event.detail = nursery_->replace(next);
  tell(std::move(event));
  hear(std::move(next));
}

void Crew::on_told(told::NoZygote& told) {
  break_channel("standby channel \"" + options_.name + "\": no more replicas can be made: " + told.why);
}

void Crew::on_told(told::Broken& told) {
  break_channel("standby channel \"" + options_.name + "\": no more replicas can be made: " + told.why);
}

/// A replica could not be made, for now: it is tried again. Where there never was one, that is an error soon.
void Crew::on_refusal(const std::string& why) {
  constexpr std::int64_t patience_ns = 3'000'000'000;
  const std::string text = "standby channel \"" + options_.name + "\": no replica can be forked: " + why;
  if (members_.empty() && !had_member_ && nursery_->refused_for(os::monotonic_ns()) > patience_ns)
    return break_channel(text);
  note_unavailable(text + "; it is tried again until it succeeds");
  arm_timer();
}

}  // namespace hotspare::standby
