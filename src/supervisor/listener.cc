#include "death/spread.hpp"
#include "os/clock.hpp"
#include "os/futex.hpp"
#include "os/prompt.hpp"
#include "supervisor/engine.hpp"

#include <algorithm>
#include <array>
#include <span>

#include <linux/futex.h>

/// The threads that hear deaths first, each asleep in futex_waitv over the robust words of its workers. The first of them
/// also looks after results while no caller does.
namespace hotspare::detail {
namespace {

/// Results of a traffic that dense are fetched in batches, this often, instead of one wake each.
constexpr std::int64_t batch_ns = 100'000;
constexpr std::size_t dense = 8;

thread_local const void* this_listener = nullptr;

/// -1: never.
std::int64_t sooner(std::int64_t a, std::int64_t b) { return a < 0 || b < 0 ? std::max(a, b) : std::min(a, b); }

}  // namespace

void Engine::listen(Listener& listener) {
  const os::Prompt prompt;
  this_listener = &listener;
  std::size_t recent = 0;
  for (;;) {
    std::int64_t deadline = -1;
    std::uint32_t bell = 0;
    {
      Lock lock(mutex_);
      if (closed_) return;
      if (arm_due_) arm_timer();
      bell = bells_->listener.load(std::memory_order_acquire);
      take_step([&] {
        do {
          if (loss_noted_) lose_descriptors();
          if (listener.seen != listener.changed.load(std::memory_order_acquire)) rebuild(listener);
          notice_all(listener);
        } while (listener.seen != listener.changed.load(std::memory_order_acquire));
        if (listener.primary) deadline = look_after_results(listener, recent);
      });
      // The spare that stands in waits for this CPU: the timers are armed when it runs.
      if (arm_due_ && deadline < 0) deadline = os::monotonic_ns() + soon_ns;
      if (closed_) return;  // here: who calls us after that may have done so by now
      take_step([&] { deadline = sooner(deadline, look_for_losses(listener)); });
      if (listener.primary) looks_by(deadline);
      if (!read_words(listener, bell)) continue;
    }
    if (wait_for_words(listener, bell, deadline)) continue;
    const Lock lock(mutex_);
    take_step([this] { fall_back(); });
  }
}

/// Returns when to look again, ns; -1: not at all.
std::int64_t Engine::look_for_losses(Listener& listener) {
  const std::int64_t now = os::monotonic_ns();
  look_why_they_died(listener, now);
  const std::int64_t again_at = listener.losses_at != 0 ? listener.losses_at : -1;
  return listener.primary ? sooner(again_at, Keeper::look_for_losses(now)) : again_at;
}

/// False: futex_waitv cannot be had any more.
bool Engine::wait_for_words(Listener& listener, std::uint32_t bell, std::int64_t deadline) {
  if (!one_word_each_.load(std::memory_order_acquire))
    return os::futex_wait_any(listener.words, deadline) != os::cannot_wait_any;
  if (listener.primary) {
    os::futex_wait(bells_->listener, bell, os::FutexScope::shared, deadline);  // nudges ring it, too
  } else {
    os::futex_wait(listener.changed, listener.seen, os::FutexScope::process, deadline);
  }
  return true;
}

/// Without futex_waitv a few deaths are heard as soon as with it, the others when the kernel is through with them.
void Engine::fall_back() {
  // SYNC POINT one-word: who nudges has changed something before it looks at this; we look for changes after it.
  if (one_word_each_.exchange(true, std::memory_order_seq_cst)) return;
  sentries_.emplace([] { const os::Prompt prompt; }, [this] { nudge_listener(*listeners_.front()); });
  sentries_->start(target_ + options_.spares);
  for (const auto& [id, worker] : workers_) give_sentry(*worker);
  nudge_listener(*listeners_.front());
  tell_missing(os::Missing::wait_any);
}

/// By the supervisor, which waits for its zygote meanwhile: nobody who makes a pool waits for that.
void Engine::tell_what_is_missing() noexcept try {
  const std::vector<os::Missing> missing = os::missing();
  const Lock lock(mutex_);
  for (const os::Missing each : missing)
    if (each != os::Missing::wait_any) tell_missing(each);  // that the listeners have told
} catch (const std::bad_alloc&) {
  untold();
}

void Engine::tell_missing(os::Missing what) {
  tell(Event::Kind::unavailable, [what](Event& event) { event.detail = os::cost_of(what); });
}

/// A word whose owner is gone by now makes it free again.
void Engine::give_sentry(Worker& worker) {
  if (!sentries_ || worker.state == workers::State::condemned || worker.has_sentry) return;
  worker.has_sentry = sentries_->watch(worker.channel().life_word(), worker.ties.channel);
}

void Engine::rebuild(Listener& listener) {
  listener.seen = listener.changed.load(std::memory_order_acquire);
  listener.watched.clear();
  listener.look_at_all = true;
  for (const auto& [id, worker] : workers_) {
    if (!workers::lives(worker->state)) continue;
    // The first one looks at all where each word has a thread of its own.
    const bool ours =
        sentries_ ? listener.primary : worker->listener && listeners_[*worker->listener].get() == &listener;
    if (ours) listener.watched.push_back(worker.get());
    give_sentry(*worker);
  }
}

/// What to sleep on, as it is now: a worker takes its word while we sleep, and a wrong value would not let us sleep again.
/// False: one has died since we looked, or is gone.
bool Engine::read_words(Listener& listener, std::uint32_t bell) {
  listener.words.clear();
  // Who is watched is that no more: some may have been forgotten.
  if (listener.seen != listener.changed.load(std::memory_order_seq_cst)) return false;
  if (sentries_) return true;
  listener.words.push_back({&listener.changed, listener.seen, os::FutexScope::process});
  if (listener.primary) listener.words.push_back({&bells_->listener, bell, os::FutexScope::shared});
  for (Worker* worker : listener.watched) {
    std::atomic<std::uint32_t>& word = worker->channel().life_word();
    std::uint32_t value = word.load(std::memory_order_acquire);
    // The kernel wakes a robust word's waiter only if the word says that there is one.
    if ((value & FUTEX_TID_MASK) != 0 && (value & FUTEX_WAITERS) == 0)
      value = word.fetch_or(FUTEX_WAITERS, std::memory_order_acq_rel) | FUTEX_WAITERS;
    if ((value & FUTEX_OWNER_DIED) != 0 && worker->state != workers::State::condemned) return false;
    listener.words.push_back({&word, value, os::FutexScope::shared});
  }
  return true;
}

/// To the listener that has the fewest. The first one, which looks after results, watches none where there are others.
void Engine::place_word(Worker& worker) {
  const std::size_t first = listeners_.size() > 1 ? 1 : 0;
  std::array<std::size_t, most_listeners> words{};
  for (const auto& [id, other] : workers_)
    if (other->listener && other->state != workers::State::condemned) ++words[*other->listener];
  const auto least = death::least_loaded(std::span(words).first(listeners_.size()).subspan(first));
  worker.listener = least ? std::optional(first + *least) : std::nullopt;
  if (!worker.listener) words_unplaced_ = true;
}

/// Where others have died there is room again.
void Engine::place_words() {
  words_unplaced_ = false;
  for (const auto& [id, worker] : workers_) {
    if (worker->listener || worker->state == workers::State::condemned) continue;
    place_word(*worker);
    if (!worker->listener) return;
    nudge_listener(*listeners_[*worker->listener]);
  }
}

/// Whoever waits for us, be it in its initializer or on its way out: all but those that run tasks, which are looked after
/// as their results are. Each of them counts what it wants in Bells::requests.
void Engine::serve_who_wait(Listener& listener) {
  // SYNC POINT request: read before we look. Counted by workers after what they ask for is there.
  const std::uint32_t requests = bells_->requests.load(std::memory_order_seq_cst);
  if (!listener.look_at_all && requests == listener.requests) return;
  for (const auto& [id, worker] : workers_) {
    note_ready(*worker);
    // Last words ring here, whichever listener watches the word.
    if (listeners_.size() > 1 && shows_death(*worker)) {
      notice_death(*worker);
      listeners_.front()->losses_at = os::monotonic_ns() + soon_ns;
    }
    if (!workers::lives(worker->state)) continue;
    if (worker->account.claims_too_much()) {
      harvest(*worker);  // which does not trust it any more
    } else {
      serve_lease(*worker);
    }
  }
  // Last: a look that failed for want of memory is made again.
  listener.look_at_all = false;
  listener.requests = requests;
}

/// Returns until when to sleep at most: -1 for ever. recent: results fetched by the last look.
std::int64_t Engine::look_after_results(Listener& listener, std::size_t& recent) {
  serve_who_wait(listener);
  recent = harvest_all();
  pump();
  // The leader hears of results itself. We are here because of something it does not look for: a worker that wants a
  // segment rang while the leader was awake, say.
  if (leader_ != nullptr) return -1;
  if (recent >= dense) {
    wishes_->listener.store(shm::Ring::when_dry, std::memory_order_seq_cst);
    return os::monotonic_ns() + batch_ns;
  }
  wishes_->listener.store(shm::Ring::always, std::memory_order_seq_cst);
  // SYNC POINT result-bell: what was committed before the wish was not rung for.
  harvest_all();
  pump();
  return standstill_.wanted() ? os::monotonic_ns() + standstill_.again_ns : -1;
}

/// It looks at everything before it sleeps.
bool Engine::on_first_listener() const { return this_listener == listeners_.front().get(); }

void Engine::nudge_listener(Listener& listener) {
  listener.changed.fetch_add(1, std::memory_order_seq_cst);
  if (&listener == this_listener) return;  // it looks before it sleeps
  // SYNC POINT one-word: after the change. Engine::fall_back stores it.
  if (listener.primary && one_word_each_.load(std::memory_order_seq_cst)) {
    call_results_listener();
  } else {
    os::futex_wake(listener.changed, 1, os::FutexScope::process);
  }
}

/// As its workers do: for something else than who there is.
void Engine::call_results_listener() {
  bells_->listener.fetch_add(1, std::memory_order_seq_cst);
  os::futex_wake(bells_->listener, 1, os::FutexScope::shared);
}

}  // namespace hotspare::detail
