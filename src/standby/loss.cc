#include "child/burial.hpp"
#include "child/ending.hpp"
#include "death/stack_image.hpp"
#include "death/stacks_of_hung.hpp"
#include "os/clock.hpp"
#include "os/process.hpp"
#include "os/process_state.hpp"
#include "os/realtime.hpp"
#include "standby/crew.hpp"
#include "standby/decide.hpp"

#include <algorithm>
#include <array>
#include <csignal>
#include <limits>
#include <linux/futex.h>
#include <utility>

/// Who goes: notice, replacement, verdict, report. The stream waits for none of it.
namespace hotspare::standby {

/// Some sign says that it dies or is dead.
void Crew::notice(Member& member, std::int64_t at) {
  if (!counts(member.state)) return;
  if (left_behind(member)) on_left_behind(member);
  const bool was_in_step = member.state == State::in_step;
  member.step(Event::noticed);
  member.noticed_at = at;
  const std::uint64_t newest = shared_.blocks().newest.load(std::memory_order_acquire);
  if (was_in_step && settled_.load(std::memory_order_acquire) < newest) member.awaited = newest;
  joined_at_[member.lane].store(unwatched, std::memory_order_release);
  suspects_.fetch_and(~(1u << member.lane), std::memory_order_acq_rel);
  if (was_in_step) --in_step_;
  note_lost_state(member);
  if (closing_ || member.leaving) return;
  if (was_in_step) vacancies_.push_back(member.noticed_at);
  if (was_in_step && in_step_ > 0) {
    ++counts_.takeovers;
    takeover_clock_.noticed(member.noticed_at);
  }
  man_the_helm();
  // What takes time is the supervisor's: this may be the listener, which stands above the replicas.
  call_supervisor();
  if (member.exited) return;
  // For a crash handler that itself hangs, and for threads that live on without their main thread.
  constexpr std::int64_t last_words_ns = 5'000'000'000;
  constexpr std::int64_t dying_ns = 100'000'000;
  const bool lost = (shared_.lane(member.lane).host_word().load(std::memory_order_acquire) & FUTEX_OWNER_DIED) != 0;
  member.gone_by = member.noticed_at + (lost ? dying_ns : last_words_ns);
  arm_timer();
}

/// After a notice. Freeing the memory of the dead must not be as urgent as blocks are.
void Crew::replace_the_dying() {
  for (const auto& [id, member] : members_) {
    if (member->state != State::condemned || member->demoted) continue;
    member->demoted = true;
    // WARNING: by number, for the scheduler takes no pidfd. Its zygote reaps it only when we ask; where that is dead init
    // does so at once, so one that has exited is left alone.
    if (options_.realtime_priority > 0 && !os::exited(member->pidfd)) os::demote_process(member->pid);
  }
  refill();
}

/// The caller suspects somebody. It noted how far each was behind.
void Crew::judge_lags() {
  const std::uint32_t suspects = suspects_.exchange(0, std::memory_order_acq_rel);
  std::vector<Member*> in_step;
  for (const auto& [id, member] : members_)
    if (member->state == State::in_step) in_step.push_back(member.get());
  for (Member* member : in_step) static_cast<void>(talks_sense(*member));
  for (const auto& [id, member] : members_) {
    if (member->state != State::in_step) continue;
    if ((suspects >> member->lane & 1u) == 0 || waits_for_verdict(*member)) {
      member->cpu_when_suspected = -1;
      continue;
    }
    Lag lag;
    lag.stuck = stuck_[member->lane].load(std::memory_order_acquire);
    lag.alone = true;
    lag.forks = awaits_heir(*member);
    lag.least_of_others = std::numeric_limits<std::int64_t>::max();
    for (const auto& [other_id, other] : members_) {
      if (other.get() == member.get() || other->state != State::in_step) continue;
      lag.alone = false;
      lag.least_of_others = std::min(lag.least_of_others, stuck_[other->lane].load(std::memory_order_acquire));
    }
    // The next one is suspected again with the next block.
    if (hangs(lag, options_.hang_after.count()) && !only_starves(*member, lag.stuck))
      return end_hung(*member,
                      stuck_since_[member->lane].load(std::memory_order_relaxed) + options_.hang_after.count());
  }
}

/// Its next block is held until another has answered it, or died.
bool Crew::waits_for_verdict(const Member& member) const {
  const Claim claim = Claim::of(shared_.lane(member.lane));
  const std::uint64_t next = claim.done + 1;
  return claim.begun == 0 && mark_of(shared_.mark(next).load(), next) == Mark::held;
}

/// A machine that has no time for it, for some time, is no fault of its own.
bool Crew::only_starves(Member& member, std::int64_t stuck) {
  const os::Activity now = os::activity_of(member.pid);
  if (!now.runnable || now.cpu_ns < 0 || stuck >= 10 * options_.hang_after.count()) return false;
  if (member.cpu_when_suspected < 0) {
    member.cpu_when_suspected = now.cpu_ns;
    return true;  // judged at the next look
  }
  const bool starving = starves(now.runnable, member.cpu_when_suspected, now.cpu_ns);
  if (starving) member.cpu_when_suspected = now.cpu_ns;
  return starving;
}

/// Its stack is taken from outside, then it is killed. Its place is filled at once.
void Crew::end_hung(Member& member, std::int64_t due_at) {
  member.evidence.ended_by = death::EndedBy::deadline;
  member.evidence.due_at = due_at;
  ++counts_.hangs;
  notice(member);
  member.held_for_stack = true;  // only now: what throws before this leaves nobody who would let go of it
  const worker::LastWords& words = shared_.lane(member.lane).last_words;
  try {
    coroner_.run([this, id = member.id, pid = member.pid, &pidfd = member.pidfd, &words] {
      auto stacks = death::stacks_of_hung(pid, pidfd, words);  // it is held for us
      const Lock lock(mutex_);
      take_step([&] { on_stacks(id, stacks); });
    });
  } catch (const std::bad_alloc&) {  // no memory to ask for it
    member.held_for_stack = false;
    kill(member);
  }
}

void Crew::kill(Member& member) {
  if (member.pidfd && !member.pidfd.is_ours()) note_loss();  // nobody would hear of its end
  child::end(member, *nursery_);
}

void Crew::bury(Member& member, const os::ExitStatus& told) {
  const os::ExitStatus status = final_status(member, told);
  const bool left = member.leaving || member.evidence.ended_by == death::EndedBy::shutdown;
  if (left) {
    tell(hotspare::Event::Kind::retired, [&](hotspare::Event& event) { event.pid = member.pid; });
  } else {
    // What fails of it must not keep the dead from being buried.
    try {
      report_death(member, status);
    } catch (const std::bad_alloc&) {
      untold();
    }
  }
  if (!left && !member.spare) note_death(member);
  member.step(Event::reaped);
  forget(member);
  give_up_if_too_many_died();
  refill();
}

void Crew::report_death(Member& member, const os::ExitStatus& status) {
  const auto report = write_report(member, status);
  child::count_death(counts_, member, report->cause);
  last_death_ = report->summary();
  if (!report->detail.empty()) last_death_ += ": " + report->detail;
  tell(hotspare::Event::Kind::death, [&](hotspare::Event& event) {
    event.pid = member.pid;
    event.at = std::chrono::steady_clock::time_point(std::chrono::nanoseconds(member.noticed_at));
    event.detail = std::string(name(report->cause));
    event.report = report;
  });
  const std::uint64_t block = fatal_block(member);
  const bool will_pass = block != 0 && (in_step_ == 0 || fatal_.has_killed(block) || shared_.is_left_out(block));
  blame_block(member, report->cause);
  if (member.spare) {  // nobody waited for it: its deaths take nothing from the channel
    if (!member.was_ready) pause_spares();
  } else if (!member.was_ready && is_hopeless(will_pass)) {
    const unsigned died = will_pass ? died_in_blocks_ : breaker_.in_a_row();
    break_channel("standby channel \"" + options_.name + "\": " + std::to_string(died) +
                  " replicas in a row died before they were in step; the last one: " + last_death_);
  }
}

/// One more died on his way. A block that kills is left out, and the next ones come further: there may be many of those in a row.
bool Crew::is_hopeless(bool will_pass) {
  constexpr unsigned blocks_count_less = 20;
  if (!will_pass) return breaker_.died_before_ready();
  const std::uint64_t answered = last_answered_.load(std::memory_order_relaxed);
  if (std::exchange(answered_by_then_, answered) != answered) died_in_blocks_ = 0;
  return ++died_in_blocks_ >= blocks_count_less * options_.breaker_deaths;
}

std::shared_ptr<CrashReport> Crew::write_report(Member& member, const os::ExitStatus& status) {
  child::complete_evidence(member, status, shared_.lane(member.lane).last_words);
  read_last_stderr(member);
  std::shared_ptr<CrashReport> report = child::report_on(member);
  const std::uint64_t block = fatal_block(member);
  report->task_id = block != 0 ? block : shared_.lane(member.lane).done.load();
  report->task_name = block != 0 ? "block " + std::to_string(block) : "between blocks";
  return report;
}

void Crew::forget(Member& member) {
  if (member.lifeline) poller_->forget(member.lifeline.fd());  // an unborn heir's, too
  if (member.pidfd) poller_->forget(member.stderr_pipe);
  lane_taken_[member.lane] = false;
  members_.erase(member.id);
  note_if_deserted();
  nudge_listener();
}

}  // namespace hotspare::standby
