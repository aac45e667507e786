#include "child/burial.hpp"
#include "child/keeper.hpp"
#include "os/clock.hpp"
#include "zygote/protocol.hpp"

#include <algorithm>
#include <string>
#include <utility>
#include <variant>

/// What a keeper hears from its nursery. A zygote's death costs nothing but the time of a refill, and running children go on.
namespace hotspare::child {

namespace {

/// Whether it may be because somebody else closed a descriptor of ours. A child's death is another's to ask about (notice).
bool may_be_a_loss(const Told& told) {
  return !std::holds_alternative<told::Ready>(told) && !std::holds_alternative<told::Spawned>(told) &&
         !std::holds_alternative<told::Reaped>(told);
}

}  // namespace

void Keeper::hear(std::vector<Told> told) {
  for (Told& each : told) take_step([&] { std::visit([this](auto& what) { on_told(what); }, each); });
  if (!descriptors_lost_ && std::any_of(told.begin(), told.end(), may_be_a_loss) && has_lost_descriptors()) note_loss();
  if (nursery_->due_at() != 0) arm_timer();
  on_heard();
}

void Keeper::on_told(told::Ready& /*told*/) {
  refill();
  if (!finishing()) nursery_->want_standby();  // after the children: somebody may be waiting for those
}

void Keeper::on_spawned(told::Spawned& told) {
  Process* const process = child(told.id);
  if (process == nullptr || process->pid != 0) {  // abandoned: the end of its lifeline ends it
    zygote::Request reap;
    reap.ask = zygote::Ask::reap;
    reap.pid = told.pid;
    if (!nursery_->request(told.parent, reap)) nursery_->reap_later(told.pid, std::move(told.pidfd));
    return;
  }
  process->pid = told.pid;
  process->pidfd = std::move(told.pidfd);
  process->parent = told.parent;
  watch_oom(*process, last_oom_watch_);
  process->let_go_of_its_ends();
  if (unheard_since_ == 0) unheard_since_ = os::monotonic_ns();
  on_forked(*process);
  if (const auto watched = poller_->watch(process->pidfd, tag(Tag::exit, told.id)); !watched) {
    // Nobody would hear of its death.
    nursery_->note_refusal();
    static_cast<void>(nursery_->ask_to_reap(*process));
    abandon(*process);
    return on_refusal(watched.failure().text());
  }
  static_cast<void>(poller_->watch_hang_up(process->lifeline.fd(), tag(Tag::lifeline, told.id)));
  static_cast<void>(poller_->watch(process->stderr_pipe, tag(Tag::standard_error, told.id)));
  on_born(*process);
}

void Keeper::on_told(told::Refused& told) {
  if (Process* const process = child(told.id); process != nullptr) abandon(*process);
  if (told.was_heir) return refill();  // it died before it was adopted
  on_refusal(told.why);
}

void Keeper::on_told(told::Reaped& told) {
  if (Process* const process = child(told.id); process != nullptr) bury(*process, told.status);
}

void Keeper::on_told(told::ZygoteDied& told) {
  for_each_child([&](Process& each) { take_step([&] { pass_on(told, each); }); });
  if (finishing()) return;
  ++zygote_deaths_;
  std::vector<Told> next;
  const char* const how = nursery_->replace(next);
  tell(Event::Kind::zygote_died, [&](Event& event) {
    event.pid = told.pid;
    event.detail = how;
  });
  hear(std::move(next));
}

/// What it had not yet forked is forgotten. The others are the seed's now, of whom the status of those is asked again that
/// the dead one may have taken with it.
void Keeper::pass_on(const told::ZygoteDied& died, Process& process) {
  if (process.parent != died.pid) return;
  const bool born = process.pid != 0;
  if (!born && !is_heir(process)) return abandon(process);
  nursery_->foster(process);
  if (!born) on_fostered_heir(process);
  if (std::exchange(process.reap_asked, false)) ask_reap(process);
}

void Keeper::on_told(told::NoZygote& told) {
  on_no_zygote(words_.name + ": no more " + words_.child + "s can be made: " + told.why);
}

void Keeper::on_told(told::Broken& told) {
  break_down(words_.name + ": no " + words_.child + " can be forked: " + told.why);
}

void Keeper::on_refusal(const std::string& why) {
  // What is asked over a socket that the program has closed would be refused for ever.
  if (!descriptors_lost_ && has_lost_descriptors()) note_loss();
  constexpr std::int64_t patience_ns = 3'000'000'000;
  const std::string text = words_.name + ": no " + words_.child + " can be forked: " + why;
  note_refusal(text);
  if (child_after(0) == nullptr && !had_child_ && nursery_->refused_for(os::monotonic_ns()) > patience_ns)
    break_down(text);
  arm_timer();
}

}  // namespace hotspare::child
