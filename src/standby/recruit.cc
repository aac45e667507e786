#include "child/burial.hpp"
#include "child/ending.hpp"
#include "os/clock.hpp"
#include "os/futex.hpp"
#include "os/process.hpp"
#include "standby/crew.hpp"
#include "standby/decide.hpp"
#include "standby/replica_main.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <string>
#include <utility>

/// Who comes: a new replica is forked by the zygote and made anew, or by one that has the state, whose heir it is then.
namespace hotspare::standby {

void Crew::refill() {
  if (closing_) return;
  for (;;) {
    const Move move = next_move(roster());
    if (move == Move::promote) {
      promote(*best_spare());
    } else if (move == Move::none || !can_recruit() || !recruit(move == Move::recruit_spare)) {
      return;
    }
  }
}

Situation Crew::situation() {
  Situation now;
  now.mode = options_.mode;
  now.rejoin = options_.rejoin;
  now.newest = shared_.blocks().newest.load(std::memory_order_acquire);
  now.anew_from = anew_from_;
  now.history = shared_.geometry().history;
  now.has_donor = donor_for(Plan::load) != nullptr;
  now.can_fork = std::any_of(members_.begin(), members_.end(), [&](const auto& entry) {
    const Member& member = *entry.second;
    return has_caught_up(member.state) && !member.leaving && shared_.lane(member.lane).threads.load() <= 1;
  });
  return now;
}

/// Who has the state and nobody else to give it to: the spare if it can, for nobody waits for its answers. A fork leaves
/// other threads behind.
Member* Crew::donor_for(Plan plan) {
  const auto busy = [&](const Member& donor) {
    return std::any_of(members_.begin(), members_.end(), [&](const auto& entry) {
      return entry.second->donor == donor.id && entry.second->state <= State::starting;
    });
  };
  Member* found = nullptr;
  for (const auto& [id, member] : members_) {
    if (!has_caught_up(member->state) || member->leaving) continue;
    if (plan == Plan::inherit && (busy(*member) || shared_.lane(member->lane).threads.load() > 1)) continue;
    if (member->state == State::spare) return member.get();
    if (found == nullptr) found = member.get();
  }
  return found;
}

bool Crew::awaits_heir(const Member& donor) const {
  return std::any_of(members_.begin(), members_.end(), [&](const auto& entry) {
    const Member& heir = *entry.second;
    if (heir.donor != donor.id && heir.saver != donor.id) return false;
    return heir.state == State::asked || (heir.state == State::starting && heir.plan == Plan::load && !heir.has_state);
  });
}

/// The last state that a dead replica committed may be the only one: in StandbyMode::replay its lane is not taken before another has
/// one that is as new, however many die.
std::optional<unsigned> Crew::free_lane() const {
  const std::uint64_t newest = shared_.blocks().newest.load(std::memory_order_acquire);
  std::array<std::uint64_t, most_lanes> saved{};
  for (unsigned number = 0; number < shared_.geometry().lanes; ++number) {
    const Claim claim = Claim::of(shared_.lane(number));
    if (claim.sealed && claim.state.block <= newest) saved[number] = claim.state.block;
  }
  return lane_to_take({saved.data(), shared_.geometry().lanes}, lane_taken_, options_.mode);
}

/// Nobody is in step, but who comes has the state, or processes all that led to it: it is not lost, and who began anew beside it
/// would answer differently. Not for ever: it has to process the blocks that the others have died in.
bool Crew::state_is_on_its_way() {
  bool any = false;
  for (const auto& [id, member] : members_) {
    if (member->state > State::spare || member->leaving) continue;
    const Begin begin = Begin::unpack(shared_.lane(member->lane).begin.load(std::memory_order_seq_cst));
    const bool processes_all = begin.taken && (member->plan == Plan::first_block || member->plan == Plan::now);
    if (!member->has_state && !processes_all) continue;
    any = true;
    if (member->gone_by == 0) member->gone_by = os::monotonic_ns() + 10 * options_.hang_after.count();
  }
  if (any) arm_timer();
  return any;
}

/// Then this one begins with the same block, if the history still reaches so far.
bool Crew::others_begin_anew(std::uint64_t newest) const {
  if (anew_from_ < oldest_to_replay(newest, shared_.geometry().history)) return false;
  return beginning_anew_ || std::any_of(members_.begin(), members_.end(), [](const auto& entry) {
           const Member& member = *entry.second;
           return member.state <= State::starting && !member.leaving && member.plan == Plan::now;
         });
}

/// All are dead, and the state with them: those that come begin together, with the block that nobody answered. So do those
/// that were asked before, and have not begun yet.
void Crew::begin_anew(std::uint64_t newest) {
  const bool pending = settled_.load(std::memory_order_acquire) < newest;
  anew_from_ = std::max(pending ? newest : newest + 1, anew_from_);
  beginning_anew_ = true;
  ++counts_.states_lost;
  for (const auto& [id, member] : members_) {
    if (member->state > State::starting || member->leaving) continue;
    if (member->plan != Plan::first_block && member->plan != Plan::now) continue;
    std::atomic<std::uint64_t>& word = shared_.lane(member->lane).begin;
    std::uint64_t seen = word.load(std::memory_order_seq_cst);
    member->plan = Plan::now;
    // SYNC POINT begin: Replica::begin takes it. If it has just done so it would answer differently.
    const bool changed =
        !Begin::unpack(seen).taken &&
        word.compare_exchange_strong(seen, Begin{Plan::now, anew_from_}.packed(), std::memory_order_seq_cst);
    if (!changed) dismiss(*member);
  }
}

/// Null: nobody can now. One that is forking already will be able to, and where none ever will a replica without the state
/// would only answer wrongly: the channel goes on with fewer.
Member* Crew::find_forker() {
  const Member* any = donor_for(Plan::load);
  if (any != nullptr && shared_.lane(any->lane).threads.load() > 1)
    note_unavailable(
        "replicas run threads of their own, which a fork would leave behind: dead ones are not replaced until "
        "the last is dead. Give the processor save and load, or StandbyOptions::replay_blocks");
  if (forks_failed_ < most_failed_forks) return donor_for(Plan::inherit);
  forks_failed_ = 0;
  note_unavailable("a replica could not fork an heir: the channel goes on with fewer, and tries again");
  retry_at_ = os::monotonic_ns() + 100'000'000;
  arm_timer();
  return nullptr;
}

/// False: not now; the next death, birth or burial tries again.
bool Crew::recruit(bool as_spare) {
  if (lost_what_children_share()) {  // what it would be sent might be the program's own
    note_loss();
    return false;
  }
  const auto lane = free_lane();
  if (!lane) return false;
  const Situation now = situation();
  const Plan plan = plan_for(now);
  if (plan == Plan::load && now.mode == StandbyMode::lockstep && no_state_until_ != 0) return false;
  Member* donor = plan == Plan::inherit ? find_forker() : nullptr;
  if (plan == Plan::inherit && donor == nullptr) return false;
  const bool anew = loses_state(now, plan) && !others_begin_anew(now.newest);
  if (anew && state_is_on_its_way()) return false;
  auto ties = Ties::make();
  if (!ties) {
    nursery_->note_refusal();
    on_refusal(ties.failure().text());
    return false;
  }
  vacancies_.reserve(vacancies_.size() + members_.size() + 1);
  std::map<std::uint64_t, std::unique_ptr<Member>> made;  // its place among the others, for when it was asked for
  const std::uint64_t id = ++last_id_;
  Member& member = *made.emplace(id, std::make_unique<Member>(id, *lane, std::move(*ties))).first->second;
  shared_.renew(*lane);
  member.plan = plan;
  member.spare = as_spare;
  shared_.lane(*lane).part.store(as_spare ? Part::spare : Part::regular);
  if (anew) begin_anew(now.newest);
  shared_.lane(*lane).begin.store(Begin{plan, anew_from_}.packed(), std::memory_order_seq_cst);
  member.parent = nursery_->zygote_pid();
  member.asked_at = os::monotonic_ns();
  member.newest_when_asked = now.newest;
  if (!(donor != nullptr ? ask_donor(member, *donor) : ask_zygote(member))) return false;
  // A spare that is about to come into step saves before: when it is in step it is not asked for that.
  Member* const saver = as_spare && plan == Plan::load ? donor_for(plan) : nullptr;
  if (saver != nullptr && saver->state == State::spare) {
    member.saver = saver->id;
    ask_to_save(member, *saver);
  }
  lane_taken_[*lane] = true;
  ++counts_.starts;
  members_.insert(made.extract(id));
  tell(hotspare::Event::Kind::refill, [](hotspare::Event&) {});
  return true;
}

namespace {

std::array<int, zygote::replica_fd_count> fds_of(const Shared& shared, const Member& member) {
  std::array<int, zygote::replica_fd_count> fds{};
  fds[zygote::replica_blocks_fd] = shared.blocks_fd().get();
  fds[zygote::replica_bells_fd] = shared.bells_fd().get();
  fds[zygote::replica_lanes_fd] = shared.lanes_fd().get();
  fds[zygote::replica_lifeline_fd] = member.its_lifeline.get();
  fds[zygote::replica_orders_fd] = member.ties.orders.theirs.get();
  fds[zygote::replica_stderr_fd] = member.its_stderr.get();
  return fds;
}

}  // namespace

bool Crew::ask_zygote(Member& member) {
  const auto asked = nursery_->spawn(member.id, member.lane, fds_of(shared_, member));
  if (!asked) on_refusal(asked.failure().text());
  return static_cast<bool>(asked);
}

/// The zygote is told first: the heir will be its child before it has a name.
bool Crew::ask_donor(Member& member, Member& donor) {
  member.parent = donor.parent;
  tell_parent(member, zygote::Ask::expect_heir);
  member.donor = donor.id;
  member.has_state = true;
  member.ticket = ++last_ticket_;
  const ReplicaStart start{.setup = setup(), .id = member.id, .lane = member.lane, .ticket = member.ticket};
  if (const auto sent = zygote::send(donor.ties.orders.ours, start, fds_of(shared_, member)); !sent) {
    tell_parent(member, zygote::Ask::forget_heir);
    nursery_->note_refusal();
    on_refusal(sent.failure().text());
    return false;
  }
  // From now on only the heir holds its end: when that closes, there is none, or no more.
  member.its_lifeline.reset();
  static_cast<void>(poller_->watch_hang_up(member.lifeline.fd(), child::tag(child::Tag::lifeline, member.id)));
  order(donor, Order::fork, member.ticket);
  return true;
}

/// The zygote, or, if that is dead, the seed.
bool Crew::tell_parent(const Member& member, zygote::Ask what, pid_t pid) {
  zygote::Request request;
  request.ask = what;
  request.worker = member.id;
  request.pid = pid;
  return nursery_->request(member.parent, request);
}

void Crew::order(Member& member, Order what, std::uint64_t ticket) {
  shared_.lane(member.lane).order.store(pack_order(ticket, what), std::memory_order_seq_cst);
  shared_.wake_working();
  if (options_.mode != StandbyMode::lockstep) shared_.wake_parked();
}

void Crew::ask_to_save(Member& member, Member& donor) {
  member.donor_commits = shared_.lane(donor.lane).committed.load(std::memory_order_acquire);
  order(donor, Order::save, ++last_ticket_);
}

/// Not if it has become old while the member was made: to catch up from there would take longer than to save once more.
void Crew::take_what_was_saved(Member& member) {
  const auto saver = members_.find(std::exchange(member.saver, 0));
  if (saver == members_.end()) return;
  const Lane& lane = shared_.lane(saver->second->lane);
  const std::uint64_t committed = lane.committed.load(std::memory_order_acquire);
  const std::uint64_t newest = shared_.blocks().newest.load(std::memory_order_acquire);
  const bool saving = committed <= member.donor_commits;
  if (saving || newest - lane.states[committed % 2].block < shared_.geometry().history / 4) member.donor = saver->first;
}

/// It waits for a state: asks one that is in step to commit its own, and hands it on when that is there.
void Crew::give_state(Member& member) {
  Lane& lane = shared_.lane(member.lane);
  if (lane.source.load() != 0) return;
  if (member.has_state) {  // it was told where one is, and found it damaged
    member.has_state = false;
    const auto donor = members_.find(std::exchange(member.donor, 0));
    if (donor != members_.end() && counts(donor->second->state))
      end_nonsense(*donor->second, "the state that it saved is damaged");
  }
  if (member.donor == 0 && member.saver != 0) take_what_was_saved(member);
  auto found = members_.find(member.donor);
  if (member.donor == 0 || found == members_.end() || !has_caught_up(found->second->state)) {
    Member* donor = donor_for(Plan::load);
    if (donor == nullptr) {  // nobody has it any more: begin anew
      member.donor = 0;
      member.evidence.ended_by = death::EndedBy::shutdown;
      kill(member);
      return;
    }
    member.donor = donor->id;
    return ask_to_save(member, *donor);
  }
  // SYNC POINT state: released by Replica::commit.
  if (shared_.lane(found->second->lane).committed.load(std::memory_order_acquire) <= member.donor_commits) return;
  state_pause_ = 0;
  // SYNC POINT source: acquired by Replica::await_source.
  lane.source.store(1 + found->second->lane, std::memory_order_seq_cst);
  member.has_state = true;
  shared_.wake_working();
}

/// Its state could not be saved. It goes on; who waits for that state leaves, and another is tried when it may be to be had.
void Crew::hear_refusal(Member& donor) {
  const Lane& lane = shared_.lane(donor.lane);
  // SYNC POINT save-refused: released by Replica::save_into.
  const std::uint64_t refused = lane.saves_refused.load(std::memory_order_acquire);
  if (refused == donor.saves_refused) return;
  donor.saves_refused = refused;
  note_unavailable(
      "a replica's state cannot be saved: those who die are not replaced until it can, and when the last is dead its "
      "state "
      "is lost",
      std::string(lane.save_refusal, ::strnlen(lane.save_refusal, sizeof lane.save_refusal)));
  if (options_.mode != StandbyMode::lockstep) return;  // the others wait for no order of ours
  for (const auto& [id, member] : members_) {
    if (member->saver == donor.id) member->saver = 0;
    const bool waits = member->state == State::starting && member->plan == Plan::load && !member->has_state;
    if (!waits || member->leaving || member->donor != donor.id) continue;
    dismiss(*member);
  }
  state_pause_ = grown_pause(state_pause_);
  no_state_until_ = os::monotonic_ns() + state_pause_;
  arm_timer();
}

/// It is to leave, which is no death. One that does not is killed.
void Crew::dismiss(Member& member) {
  constexpr std::int64_t leave_ns = 500'000'000;
  member.leaving = true;
  member.gone_by = os::monotonic_ns() + leave_ns;
  order(member, Order::leave, ++last_ticket_);
}

/// An heir has told its pid. Its parent by now is that of its donor, or, if none of ours lives, init.
void Crew::adopt(Member& member, pid_t pid) {
  member.adoption_asked = true;
  if (tell_parent(member, zygote::Ask::adopt_heir, pid)) return;
  // The number came from shared memory: believed only of the leader of a group in our session. Its end of the lifeline is
  // open after the pidfd was opened: so it lived then, and the number was its own.
  auto pidfd = os::open_pidfd(pid);
  if (pidfd && os::leads_group_of_our_session(pid) && !os::hung_up(member.lifeline.fd())) {
    child::told::Spawned orphan{member.id, pid, std::move(*pidfd), 0};
    return on_spawned(orphan);
  }
  abandon(member);
  refill();
}

/// Nobody holds the heir's end of its lifeline (any more). If it said that it exists it is adopted all the same, dead as it
/// may be, so that its death is reported as any other.
void Crew::on_heir_lost(Member& member) {
  if (member.adoption_asked) return;
  if (const pid_t pid = shared_.lane(member.lane).pid.load(std::memory_order_acquire); pid != 0)
    return adopt(member, pid);
  abandon(member);
  refill();
}

/// In modes in which one works: the helm must not point at somebody who is gone.
void Crew::man_the_helm() {
  if (options_.mode == StandbyMode::lockstep) return;
  const Helm helm = Helm::unpack(shared_.bells().helm.load(std::memory_order_acquire));
  if (helm.lane < shared_.geometry().lanes && watched(helm.lane)) return;
  const std::uint32_t next = next_at_helm(helm.lane);
  if (next == Helm::nobody) return;
  std::uint64_t expected = helm.packed();
  // A parked one that the kernel has just woken may be quicker.
  if (shared_.bells().helm.compare_exchange_strong(expected, helm.moved_to(next).packed(), std::memory_order_seq_cst))
    shared_.wake_parked();
}

}  // namespace hotspare::standby
