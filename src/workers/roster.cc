#include "child/burial.hpp"
#include "child/ending.hpp"
#include "os/clock.hpp"
#include "os/futex.hpp"
#include "os/memory.hpp"
#include "supervisor/engine.hpp"

#include <algorithm>
#include <array>
#include <limits>

/// Who is there: asking for workers, welcoming, promoting and retiring them, and forgetting the dead.
namespace hotspare::detail {
namespace {

/// Requests under way to the zygote: more would only fill its socket.
constexpr std::size_t most_asked = 16;

}  // namespace

void Engine::refill() {
  if (finishing() || killed_ || !broken_.empty() || !nursery_->may_ask()) return;
  const auto present = static_cast<std::size_t>(std::count_if(
      workers_.begin(), workers_.end(), [](const auto& entry) { return workers::counts(entry.second->state); }));
  const std::size_t at_once = no_process_.empty() ? most_asked : 1;  // where none can be had, one is enough to find out
  for (std::size_t n = workers::refill(std::uint64_t{target_} + options_.spares, present, nursery_->asked(), at_once);
       n > 0 && nursery_->may_ask(); --n)
    ask_worker();
}

/// After a death with a spare at hand: the spare has just been woken, and a fork now would compete with it for a core. A
/// pool that is short of workers asks at once.
void Engine::refill_soon() {
  constexpr std::int64_t later_ns = 1'000'000;
  if (active_.size() < target_ || finishing()) return refill();
  if (refill_at_ != 0) return;
  refill_at_ = os::monotonic_ns() + later_ns;
  arm_timer();
}

/// Whatever becomes of it, no list that it may come into needs memory then.
void Engine::reserve_for_one_more() {
  const std::size_t all = workers_.size() + 1;
  for (std::vector<Worker*>* list : {&active_, &leaving_, &spares_}) list->reserve(all);
  dispatcher_.reserve(all);
  graveyard_.reserve(graveyard_.size() + all);
  vacancies_.reserve(vacancies_.size() + all);
  if (sentries_) listeners_.front()->watched.reserve(all);
}

void Engine::ask_worker() {
  if (lost_what_children_share()) return note_loss();  // what it would be sent might be the program's own
  reserve_for_one_more();
  auto ties = workers::Ties::make();
  if (!ties) {
    nursery_->note_refusal();
    return on_refusal(ties.failure().text());
  }
  auto made = std::make_unique<Worker>(++last_worker_id_, std::move(*ties));
  Worker& worker = *made;
  workers::Ties& held = worker.ties;
  worker.channel().recycle_above = options_.recycle_above;
  std::array<int, zygote::worker_fd_count> fds{};
  fds[zygote::channel_fd] = held.channel_fd.get();
  fds[zygote::bells_fd] = bells_fd_.get();
  fds[zygote::wishes_fd] = wishes_fd_.get();
  fds[zygote::lifeline_fd] = worker.its_lifeline.get();
  fds[zygote::segments_fd] = held.segments.theirs.get();
  fds[zygote::stderr_fd] = worker.its_stderr.get();
  const auto place = workers_.emplace(worker.id, std::move(made)).first;
  worker.asked_at = os::monotonic_ns();
  worker.parent = nursery_->zygote_pid();
  std::string refused;
  try {
    const auto asked = nursery_->spawn(worker.id, 0, fds);
    if (!asked) refused = asked.failure().text();
  } catch (const std::bad_alloc&) {
    workers_.erase(place);
    throw;
  }
  if (!refused.empty()) {
    workers_.erase(place);
    return on_refusal(refused);
  }
  place_word(worker);
  tell(Event::Kind::refill, [](Event&) {});
}

/// Looks whether a starting worker is through with its initializer.
void Engine::note_ready(Worker& worker) {
  if (worker.state != workers::State::starting) return;
  // SYNC POINT worker-ready: released by run_worker.
  if (worker.channel().phase.load(std::memory_order_acquire) != shm::Phase::ready) return;
  step(worker, workers::Event::ready);
  worker.was_ready = had_child_ = true;
  breaker_.worker_ready();
  if (!vacancies_.empty()) {
    counts_.recovery.add(std::chrono::nanoseconds(os::monotonic_ns() - vacancies_.front()));
    vacancies_.erase(vacancies_.begin());
  }
  // In this process, too: a page fault costs 10 µs just when it is to take over.
  os::populate({reinterpret_cast<std::byte*>(worker.channel().slots), 4 * os::page_size()});
  spares_.push_back(&worker);
  roster_changed(worker);
  tell(Event::Kind::worker_ready, [&](Event& event) { event.pid = worker.pid; });
  promote();
  process_again();
  retire_surplus();  // asked for before the pool was made smaller
}

/// Fills the active places from the spares, oldest first, and gives them work.
void Engine::promote() {
  bool came = false;
  while (active_.size() < target_ && !spares_.empty()) {
    Worker& spare = *spares_.front();
    spares_.erase(spares_.begin());
    step(spare, workers::Event::promoted);
    active_.push_back(&spare);
    came = true;
    note_for_leader();  // it does not look at this one yet, and the worker rings for nobody who looks anyway
  }
  if (came && queue_.empty()) recall_oldest();
  pump();
}

/// After the pool was made smaller. Those that have the least to do go, and of the spares the youngest.
void Engine::retire_surplus() {
  while (active_.size() > target_) {
    const auto least = std::min_element(active_.begin(), active_.end(), [](const Worker* a, const Worker* b) {
      return a->account.held() < b->account.held();
    });
    retire(**least);
  }
  while (spares_.size() > options_.spares && active_.size() >= target_) retire(*spares_.back());
}

/// It leaves when it has finished what it has; a worker without tasks is ended at once.
void Engine::retire(Worker& worker) {
  note_ready(worker);  // one that is through with its initializer leaves by itself
  if (!worker.can(workers::Event::retired)) return;
  const bool starting = worker.state == workers::State::starting;
  worker.retiring = true;
  step(worker, workers::Event::retired);
  if (!finishing()) {  // those behind its running task must not wait for that
    recall_all(worker);
  }
  std::erase(active_, &worker);
  std::erase(spares_, &worker);
  if (worker.outstanding() != 0) leaving_.push_back(&worker);
  worker.channel().order.store(shm::Order::leave, std::memory_order_seq_cst);
  worker.ring();
  // An initializer may never end. One that has died by itself by now did not die of us.
  if (starting && !worker.life_lost() && !os::exited(worker.pidfd)) {
    worker.evidence.ended_by = death::EndedBy::shutdown;
    kill(worker);
  }
  if (!finishing()) {
    promote();
    refill();
  }
}

void Engine::forget(Worker& worker) {
  if (worker.lifeline) poller_->forget(worker.lifeline.fd());
  poller_->forget(worker.stderr_pipe);
  if (worker.pidfd) poller_->forget(worker.pidfd);
  const auto found = workers_.find(worker.id);
  dispatcher_.forget(worker);
  worker.lifeline.reset();
  worker.ties.segments.ours.reset();
  worker.stderr_pipe.reset();
  worker.pidfd.reset();
  roster_changed(worker);
  if (worker.has_sentry) death::Sentries::mark(worker.channel().life_word());
  // A leader may be looking at its channel without the mutex: it frees the graveyard itself. A listener may be
  // sleeping on its word; a futex word that is unmapped meanwhile is only never woken.
  graveyard_.push_back(std::move(found->second));
  workers_.erase(found);
  if (leader_ == nullptr) graveyard_.clear();
}

void Engine::step(Worker& worker, workers::Event event) {
  worker.step(event);
  dispatcher_.touch(worker);
}

void Engine::roster_changed(Worker& worker) {
  if (words_unplaced_) place_words();
  if (worker.listener) nudge_listener(*listeners_[*worker.listener]);
}

}  // namespace hotspare::detail
