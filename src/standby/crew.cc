#include "standby/crew.hpp"

#include "metrics/subscribers.hpp"
#include "os/clock.hpp"
#include "os/futex.hpp"
#include "os/missing.hpp"
#include "os/process.hpp"
#include "os/prompt.hpp"
#include "os/realtime.hpp"
#include "os/signals.hpp"
#include "os/thread.hpp"

#include <hotspare/error.hpp>

#include <algorithm>
#include <csignal>
#include <linux/futex.h>
#include <utility>

/// The crew's two threads, and what they hear.
namespace hotspare::standby {

Crew::Crew(const StandbyOptions& options, Shared& shared)
    : Keeper({"standby channel \"" + options.name + '"', "channel", "replica"}),
      options_(options),
      shared_(shared),
      on_event_(std::make_shared<const std::function<void(const hotspare::Event&)>>(options.on_event)),
      breaker_(options.breaker_deaths),
      answered_(options.history) {
  for (auto& each : joined_at_) each.store(unwatched);
  words_.reserve(2 + 2 * most_lanes);
}

Crew::~Crew() = default;

void Crew::start() {
  const char* what = "a standby channel cannot be made";
  make_event_loop(what);
  start_nursery();  // before there are threads: a fork of this process is taken
  try {
    start_threads();
  } catch (...) {
    {
      const Lock lock(mutex_);
      closing_ = closed_ = true;
    }
    end_threads();
    throw;
  }
  for (const os::Missing each : os::missing())
    if (each != os::Missing::wait_any) tell_unavailable(os::cost_of(each));  // that the listener tells
  try {
    if (wait_in_step(options_.replicas)) return;
  } catch (...) {  // of a runtime that has heard a signal
    close();
    throw;
  }
  const std::string why = broken();
  close();
  throw Error(why);
}

void Crew::close() {
  {
    const Lock lock(mutex_);
    closing_ = true;
    wake_waiters();
    if (call_) call_supervisor();
    take_step([this] { end_without_descriptors(); });
  }
  std::unique_lock one(joining_, std::defer_lock);
  if (!callbacks_.is_current()) {
    one.lock();
  } else if (!one.try_lock()) {
    return;  // whoever closes it waits for us
  }
  if (supervisor_.joinable()) end_threads();
}

/// After the zygote. The supervisor is last: before it nothing happens.
void Crew::start_threads() {
  const char* refused = "a standby channel cannot be made";
  const std::string whose = "standby channel \"" + options_.name + "\"";
  os::or_throw(callbacks_.start(whose), refused);
  os::or_throw(coroner_.start(whose), refused);
  const os::SignalsBlocked blocked;
  const Lock lock(mutex_);
  listener_ = os::or_throw(os::start_thread([this] { listen(); }), refused);
  supervisor_ = os::or_throw(os::start_thread([this] { supervise(); }), refused);
}

/// Whatever of it is there. The supervisor has come to its end, or was never started.
void Crew::end_threads() {
  if (supervisor_.joinable()) supervisor_.join();
  nudge_listener();
  if (listener_.joinable()) listener_.join();
  if (sentries_) sentries_->end();
  coroner_.stop();
  {
    child::Leaving leaving;
    {
      const Lock lock(mutex_);
      leaving = nursery_->leave();
    }
    leaving.wait();
  }
  callbacks_.stop();
}

void Crew::nudge_listener() {
  roster_bell_.fetch_add(1, std::memory_order_seq_cst);
  // SYNC POINT one-word: after the change. Crew::fall_back stores it.
  if (!one_word_each_.load(std::memory_order_seq_cst)) return os::futex_wake(roster_bell_, 1, os::FutexScope::process);
  shared_.bells().host.fetch_add(1, std::memory_order_seq_cst);
  os::futex_wake(shared_.bells().host, 1, os::FutexScope::shared);
}

/// Robust words first: the kernel marks them before it tears a process down.
void Crew::listen() {
  const os::Prompt prompt;
  become_prompt();
  if (!os::can_wait_any()) fall_back();
  Heard heard;
  for (;;) {
    std::uint32_t bell = 0;
    std::int64_t check_at = -1;
    {
      const Lock lock(mutex_);
      if (closed_) return;
      const std::uint32_t roster = roster_bell_.load(std::memory_order_acquire);
      bell = shared_.bells().host.load(std::memory_order_acquire);
      heard_ = heard;  // the lock may have kept us waiting
      take_step([this] {
        if (loss_noted_) lose_descriptors();
        look_at_all();
      });
      take_step([&] { check_at = look_for_losses(os::monotonic_ns()); });
      looks_by(check_at);
      heard_ = {};
      if (closed_) return;  // here: who calls us after that may have done so by now
      if (!read_words(roster, bell)) continue;
    }
    if (one_word_each_.load(std::memory_order_acquire)) {
      os::futex_wait(shared_.bells().host, bell, os::FutexScope::shared, check_at);
      heard = {};
      continue;
    }
    const int woken = os::futex_wait_any(words_, check_at);
    if (woken == os::cannot_wait_any) fall_back();
    heard = {woken >= 0 ? words_[static_cast<std::size_t>(woken)].word : nullptr, os::monotonic_ns()};
  }
}

/// Above the replicas, one of which may be busy dying where this thread is to run. It does little, and only at a death.
void Crew::become_prompt() {
  if (options_.realtime_priority <= 0) return;
  const Lock lock(mutex_);
  take_step([this] {
    if (const auto set = os::use_realtime(options_.realtime_priority - 1); !set)
      note_unavailable("no real-time scheduling (" + set.failure().text() +
                       "): blocks are late whenever the machine is busy. It needs CAP_SYS_NICE or an rtprio limit");
  });
}

/// What to sleep on, as it is now. False: somebody has died since we looked.
bool Crew::read_words(std::uint32_t roster, std::uint32_t bell) {
  words_.clear();
  words_.push_back({&roster_bell_, roster, os::FutexScope::process});
  words_.push_back({&shared_.bells().host, bell, os::FutexScope::shared});
  for (const auto& [id, member] : members_) {
    if (!counts(member->state)) continue;
    const std::atomic<std::uint32_t>& word = shared_.lane(member->lane).host_word();
    const std::uint32_t life = word.load(std::memory_order_acquire);
    if ((life & FUTEX_OWNER_DIED) != 0 && member->state != State::asked) return false;
    // Also if it is not held yet: whoever takes it says that there is a waiter.
    if ((life & FUTEX_OWNER_DIED) == 0) words_.push_back({&word, life, os::FutexScope::shared});
  }
  return true;
}

/// Without futex_waitv: a thread sleeps on each lane's word, whoever's it is.
void Crew::fall_back() {
  // SYNC POINT one-word: who nudges has changed something before it looks at this; we look for changes after it.
  if (one_word_each_.exchange(true, std::memory_order_seq_cst)) return;
  const int priority = options_.realtime_priority;
  const Lock lock(mutex_);
  take_step([&] {
    sentries_.emplace(
        [priority] {
          const os::Prompt prompt;
          if (priority > 0) static_cast<void>(os::use_realtime(priority - 1));
        },
        [this] { nudge_listener(); });
    sentries_->start(shared_.geometry().lanes);
    for (unsigned lane = 0; lane < shared_.geometry().lanes; ++lane)
      sentries_->watch(shared_.lane(lane).host_word(), nullptr, death::Sentries::Until::end);
    note_unavailable(os::cost_of(os::Missing::wait_any));
  });
}

void Crew::look_at_all() {
  for_each_member([this](Member& member) {
    if (!descriptors_lost_) look_at(member);
  });
  if (!held_.empty()) decide_about_held();
}

void Crew::look_at(Member& member) {
  Lane& lane = shared_.lane(member.lane);
  if (!counts(member.state)) return;
  if (left_behind(member)) return on_left_behind(member);
  const bool lost = (lane.host_word().load(std::memory_order_acquire) & FUTEX_OWNER_DIED) != 0;
  const bool spoke = lane.last_words.spoken();
  if (member.state == State::asked) {
    if (member.donor == 0 || member.adoption_asked) return;
    const auto donor = members_.find(member.donor);
    if (donor != members_.end() && shared_.lane(donor->second->lane).fork_failed.load() == member.ticket) {
      ++forks_failed_;
      abandon(member);
      return refill();
    }
    const pid_t pid = lane.pid.load(std::memory_order_acquire);
    if (pid == 0) return;
    return adopt(member, pid);
  }
  if (!lost && !talks_sense(member)) return;
  if (!lost && !spoke) {
    hear_refusal(member);
    return look_at_phase(member);
  }
  notice(member, lost && heard_.word == &lane.host_word() ? heard_.at : os::monotonic_ns());
  if (has_lost_descriptors(member)) lose_descriptors();  // after the takeover, which does not wait for the answer
}

void Crew::look_at_phase(Member& member) {
  if ((member.state != State::starting && member.state != State::spare) || member.leaving) return;
  // SYNC POINT replica-phase: released by Replica::tell_phase.
  const Phase phase = shared_.lane(member.lane).phase.load(std::memory_order_acquire);
  if (phase != Phase::starting && member.donor == 0 && member.state == State::starting && !member.is_made) {
    member.is_made = true;
    slowest_make_ = std::max(slowest_make_, os::monotonic_ns() - member.made_at);
  }
  if (phase == Phase::needs_state) give_state(member);
  if (phase == Phase::spare && member.state == State::starting) on_spare(member);
  if (phase == Phase::in_step) on_in_step(member);
}

void Crew::on_in_step(Member& member) {
  member.step(Event::in_step);
  member.was_ready = had_child_ = true;
  beginning_anew_ = false;
  if (member.donor != 0) forks_failed_ = 0;
  member.gone_by = 0;
  ++in_step_;
  breaker_.worker_ready();
  died_in_blocks_ = 0;
  const Lane& lane = shared_.lane(member.lane);
  note_refused(lane.refused.load());
  joined_at_[member.lane].store(shared_.blocks().newest.load(std::memory_order_acquire), std::memory_order_release);
  if (!vacancies_.empty()) {
    ++counts_.rejoined;
    rejoin_.add(os::monotonic_ns() - vacancies_.front());
    vacancies_.erase(vacancies_.begin());
  }
  tell(hotspare::Event::Kind::worker_ready, [&](hotspare::Event& event) { event.pid = member.pid; });
  man_the_helm();
  call_supervisor();  // it can be the donor of one for whom there was none
  wake_waiters();
}

/// Bits of os::Hygiene.
void Crew::note_refused(std::uint32_t refused) {
  const auto was = [refused](os::Hygiene what) { return (refused & static_cast<std::uint32_t>(what)) != 0; };
  if (was(os::Hygiene::locked_memory))
    note_unavailable(
        "the memory of replicas is not locked: a block may wait for a page. It needs CAP_IPC_LOCK, or a memlock limit "
        "(ulimit -l) above all that a replica has mapped");
  if (was(os::Hygiene::locked_later))
    note_unavailable(
        "memory that replicas allocate later is not locked, for under a memlock limit allocations beyond it would "
        "fail: a block may wait for a page. It needs CAP_IPC_LOCK or ulimit -l unlimited");
  if (was(os::Hygiene::realtime))
    note_unavailable(
        "replicas have no real-time scheduling: blocks are late whenever the machine is busy. It needs CAP_SYS_NICE or "
        "an rtprio limit");
}

void Crew::supervise() {
  if (options_.realtime_priority > 0) static_cast<void>(os::use_realtime(options_.realtime_priority - 3));
  Keeper::supervise(mutex_);
}

void Crew::on_call() {
  judge_lags();
  replace_the_dying();
}

void Crew::on_timer() {
  timer_at_ = 0;
  const std::int64_t now = os::monotonic_ns();
  bool unborn = false;
  for_each_member([&](Member& member) {
    if (member.gone_by == 0 || member.gone_by > now) return;
    const std::int64_t due = std::exchange(member.gone_by, 0);
    take_step([&] {
      if (member.state == State::asked) {
        unborn = true;
        abandon(member);
      } else if (member.state == State::spare && made_steps(member)) {
        expect_soon(member);  // on a busy machine
      } else if ((member.state == State::starting || member.state == State::spare) && !member.leaving) {
        end_hung(member, due);
      } else if (!member.exited && !member.held_for_stack) {
        if (member.noticed_at != 0 && member.evidence.ended_by == death::EndedBy::nobody)
          member.evidence.ended_by = death::why_survives(member.pid, member.pidfd);
        kill(member);
      } else if (member.exited && member.reap_asked) {
        bury(member, {});
      }
    });
  });
  for_each_member([&](Member& member) {
    if (const std::int64_t due = made_by(member); due != 0 && due <= now) take_step([&] { end_hung(member, due); });
  });
  take_step([&] {
    std::vector<child::Told> told;
    nursery_->on_timer(now, told);
    hear(std::move(told));
  });
  const auto is_due = [now](std::int64_t& at) { return at != 0 && at <= now && std::exchange(at, 0) != 0; };
  const bool retry = is_due(retry_at_);
  const bool spare_again = is_due(no_spare_until_);
  const bool state_again = is_due(no_state_until_);
  if (unborn || retry || spare_again || state_again) take_step([this] { refill(); });
  take_step([&] { look_again_after_failure(now); });
  arm_timer();
}

/// By when the processor of one that comes is to be made, ns; 0: it is. Others of its kind have shown how long that takes.
std::int64_t Crew::made_by(const Member& member) const {
  constexpr std::int64_t first_ns = 60'000'000'000;
  constexpr std::int64_t least_ns = 2'000'000'000;
  if (member.state != State::starting || member.leaving || member.held_for_stack) return 0;
  if (shared_.lane(member.lane).phase.load(std::memory_order_acquire) != Phase::starting) return 0;
  return member.made_at + (slowest_make_ == 0 ? first_ns : std::max(10 * slowest_make_, least_ns));
}

void Crew::arm_timer() {
  std::int64_t at = leave_deadline_;
  const auto consider = [&at](std::int64_t each) {
    if (each != 0 && (at == 0 || each < at)) at = each;
  };
  for (const std::int64_t each :
       {retry_at_, no_spare_until_, no_state_until_, nursery_->due_at(), memory_pause_.until()})
    consider(each);
  for (const auto& [id, member] : members_) {
    consider(member->gone_by);
    consider(made_by(*member));
  }
  if (at == 0 || at == timer_at_) return;
  timer_at_ = at;
  if (!timer_->arm(at)) return note_loss();
  if (must_call_for_timer()) nudge_listener();
}

void Crew::tell(hotspare::Event event) {
  if (!options_.on_event && !metrics::anybody_listens()) return;
  if (event.at == std::chrono::steady_clock::time_point()) event.at = std::chrono::steady_clock::now();
  event.source = hotspare::Event::Source::standby;
  event.source_name = options_.name;
  // Of its own accord: what is called may destroy the channel.
  callbacks_.run([on_event = on_event_, event = std::move(event)] {
    if (*on_event) (*on_event)(event);
    metrics::publish(event);
  });
}

void Crew::tell_unavailable(const std::string& what) {
  const Lock lock(mutex_);
  note_unavailable(what);
}

/// False: it is known.
bool Crew::remember_unavailable(const std::string& what, const std::string& detail) {
  auto& known = counts_.unavailable;
  if (std::any_of(known.begin(), known.end(), [&](const std::string& each) { return each.starts_with(what); }))
    return false;
  known.push_back(detail.empty() ? what : what + " (" + detail + ")");
  return true;
}

void Crew::note_unavailable(const std::string& what, const std::string& detail) {
  if (!remember_unavailable(what, detail)) return;
  tell(hotspare::Event::Kind::unavailable,
       [this](hotspare::Event& event) { event.detail = counts_.unavailable.back(); });
}

void Crew::break_channel(const std::string& why) {
  if (!broken_.empty()) return;
  broken_ = why;
  tell(hotspare::Event::Kind::broken, [&](hotspare::Event& event) { event.detail = why; });
  note_if_deserted();
  wake_waiters();
}

/// One step further towards the end. True when nobody is left.
bool Crew::closing_done() {
  if (closed_) return true;
  constexpr std::int64_t grace_ns = 500'000'000;
  constexpr unsigned most_rounds = 20;
  const std::int64_t now = os::monotonic_ns();
  for_each_member([this](Member& member) {
    joined_at_[member.lane].store(unwatched);
    if (!member.leaving && member.state != State::condemned) {
      member.leaving = true;
      order(member, Order::leave, ++last_ticket_);
    }
    if (member.state == State::asked) abandon(member);
  });
  if (members_.empty()) {
    closed_ = true;
    return true;
  }
  if (leave_deadline_ == 0 || now >= leave_deadline_) {
    for (const auto& [id, member] : members_) {
      if (leave_deadline_ == 0 || !member->pidfd || member->exited) continue;
      member->evidence.ended_by = death::EndedBy::shutdown;
      kill(*member);
    }
    if (leave_deadline_ != 0 && ++leave_rounds_ >= most_rounds) {
      leave_the_unkillable();
      return closed_ = members_.empty();
    }
    leave_deadline_ = now + grace_ns;
    arm_timer();
  }
  return false;
}

}  // namespace hotspare::standby
