#include "child/burial.hpp"
#include "child/ending.hpp"
#include "os/clock.hpp"
#include "supervisor/engine.hpp"

/// How a death is heard. Three ways lead here: last words (rung by the dying worker itself), the robust futex (the
/// kernel's first act when a process exits), the pidfd (the authority, but only when all memory is gone). The first one
/// to come starts the takeover; the pidfd ends the story (bury.cc).
namespace hotspare::detail {

bool Engine::shows_death(Worker& worker) const {
  return workers::lives(worker.state) && (worker.life_lost() || worker.channel().last_words.spoken());
}

void Engine::notice_all(Listener& listener) {
  arms_later_ = true;
  for (Worker* worker : listener.watched) {
    if (!shows_death(*worker)) continue;
    notice_death(*worker);
    listener.losses_at = os::monotonic_ns() + soon_ns;
  }
  arms_later_ = false;
}

/// Deaths show that descriptors were lost. To ask that takes some ten µs, for which neither the spare nor the dying worker is
/// to wait: they may need this CPU.
void Engine::look_why_they_died(Listener& listener, std::int64_t now) {
  if (listener.losses_at == 0 || now < listener.losses_at) return;
  listener.losses_at = 0;
  bool lost = has_lost_what_calls();
  for_each_worker([&](const Worker& worker) {
    lost = lost || (worker.state == workers::State::condemned && has_lost_descriptors(worker));
  });
  if (lost) lose_descriptors();
}

void Engine::notice_death(Worker& worker) {
  if (!worker.can(workers::Event::noticed) || worker.state == workers::State::condemned) return;
  const bool leaving = worker.state == workers::State::leaving;
  condemn(worker);
  if (leaving || worker.exited) return;
  // A dying process is gone in a moment, and to look after it now would keep its spare from running.
  constexpr std::int64_t dying_ns = 1'000'000;
  constexpr std::int64_t last_words_ns = 5'000'000'000;  // for a crash handler that itself hangs
  worker.gone_by = os::monotonic_ns() + (worker.life_lost() ? dying_ns : last_words_ns);
  arm_timer();
}

/// What is due by now. The robust futex speaks for the main thread only: should others live on, they end now. Where the
/// parent of one that has exited does not tell how, it is buried without.
void Engine::end_survivors(std::int64_t now) {
  for_each_worker([&](Worker& worker) {
    if (worker.gone_by == 0 || worker.gone_by > now) return;
    worker.gone_by = 0;
    if (worker.exited && worker.reap_asked) return bury(worker, {});
    if (worker.exited || worker.held_for_stack) return;
    if (worker.killed) return settle_before_death(worker);
    // An exec marks the robust futex, too. The verdict must not take our SIGKILL for one from outside.
    if (worker.life_lost() && worker.evidence.ended_by == death::EndedBy::nobody)
      worker.evidence.ended_by = death::why_survives(worker.pid, worker.pidfd);
    kill(worker);
  });
}

void Engine::kill(Worker& worker) {
  constexpr std::int64_t patience_ns = 5'000'000'000;
  if (worker.pidfd && !worker.pidfd.is_ours()) note_loss();  // nobody would hear of its end
  child::end(worker, *nursery_);
  worker.gone_by = os::monotonic_ns() + patience_ns;
  arm_timer();
}

/// We end it ourselves, for a reason of ours. What it was running is already fenced off by the caller, or is now.
void Engine::end_worker(Worker& worker, death::EndedBy why) {
  if (worker.state == workers::State::condemned) return;
  worker.evidence.ended_by = why;
  if (why == death::EndedBy::deadline || why == death::EndedBy::memory) {
    condemn(worker);
    take_stack_then_kill(worker);
  } else {
    condemn(worker);
    kill(worker);
  }
}

}  // namespace hotspare::detail
