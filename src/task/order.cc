#include "os/clock.hpp"
#include "supervisor/engine.hpp"

#include <algorithm>

/// First in, first out, although tasks are handed over early: what has not begun is taken back when somebody comes, falls
/// idle, or has passed it by.
namespace hotspare::detail {
namespace {

/// The ticket of what has waited longest behind the task that the worker has first; 0: there is none that has not begun. What
/// others gave back may have been handed to it after younger ones.
std::uint64_t longest_behind(task::Account& account) {
  if (account.held() < 2) return 0;
  std::uint64_t oldest = 0;
  bool behind = false;
  for (std::uint64_t ticket = account.head(); ticket != account.tail(); ++ticket) {
    const TaskRef& task = account.at(ticket).task;
    if (!task) continue;
    if (behind && (oldest == 0 || task::comes_before(*task, *account.at(oldest).task)) &&
        account.look(ticket) == task::Claim::waits)
      oldest = ticket;
    if (oldest != 0 && account.is_in_order()) return oldest;
    behind = true;
  }
  return oldest;
}

}  // namespace

/// A worker is idle: it is to run what has waited longest, and that may have been handed to another one early. True: it is
/// the first of the queue now.
bool Engine::recall_oldest() {
  if (!dispatcher_.somebody_can_give()) return false;
  Worker* donor = nullptr;
  std::uint64_t oldest = 0;
  const Task* next = queue_.front();
  for (task::Candidate* candidate : dispatcher_.busy()) {
    if (!candidate->takes_tasks) continue;
    const std::uint64_t ticket = longest_behind(candidate->account);
    if (ticket == 0) continue;
    const Task& task = *candidate->account.at(ticket).task;
    if (next != nullptr && !task::comes_before(task, *next)) continue;
    next = &task;
    donor = &worker_of(*candidate);
    oldest = ticket;
  }
  if (donor == nullptr) return false;
  TaskRef task = take_back(*donor, oldest);
  if (!task) return false;  // it has just begun
  queue_.put_back(std::move(task));
  return true;
}

/// Where others finished many tasks while one worker stands still, what is behind that one has been passed by.
void Engine::recall_overtaken() {
  if (!dispatcher_.somebody_can_give()) return;
  const std::uint64_t many = 4 * active_.size();
  std::int64_t now = 0;
  for (task::Candidate* candidate : dispatcher_.busy()) {
    Worker& worker = worker_of(*candidate);
    if (!worker.takes_tasks || worker.account.held() < 2) continue;
    if (dispatcher_.finished() - worker.overtaken_from < many) continue;
    if (now == 0) now = os::monotonic_ns();
    if (!standstill_.found(worker, now)) continue;
    worker.slow_head = worker.account.head();
    dispatcher_.touch(worker);
    recall_all(worker);
  }
}

/// Workers without work take what another has not begun, if that one has not moved for a while: then its task is a long one,
/// and those behind it would wait for nothing.
void Engine::balance() {
  while (task::Candidate* const idle = dispatcher_.idle()) {
    task::Candidate* const donor = dispatcher_.fullest();
    if (donor == nullptr || !standstill_.found(*donor, os::monotonic_ns())) return;
    dispatcher_.stands_still(*donor);
    // The younger half, but no more than it can take: what is recalled must not wait in the queue beyond its limit.
    const std::size_t half = (donor->account.held() + 1) / 2;
    if (recall_from(worker_of(*donor), std::min<std::size_t>(half, idle->prefetch)) == 0) return;
    while (idle->account.held() < idle->prefetch && next_may_begin() && give_next(worker_of(*idle))) {
    }
    if (idle->account.held() == 0) return;
  }
}

/// Where the idle are let sleep because the tasks are brief. True: some of those awake stand still, what is behind their tasks is
/// in the queue again, and others are woken for it.
bool Engine::take_from_the_still() {
  if (!dispatcher_.spares_the_idle()) return false;
  const std::int64_t now = os::monotonic_ns();
  bool found = false;
  for (task::Candidate* candidate : dispatcher_.awake()) {
    const std::size_t behind = candidate->account.held() - 1;
    if (queue_.empty() && behind == 0) continue;  // nothing waits for it
    if (!standstill_.found(*candidate, now)) continue;
    found = true;
    dispatcher_.stands_still(*candidate);
    recall_from(worker_of(*candidate), behind);
  }
  return found;
}

/// Takes back what the worker has not begun, the youngest first, but at most so many. Returns how many.
std::size_t Engine::recall_from(Worker& donor, std::size_t at_most) {
  ComingBack back(queue_);
  TaskList& recalled = back.tasks;
  for (std::uint64_t ticket = donor.account.tail(); ticket != donor.account.head() && recalled.size() < at_most;
       --ticket)
    if (TaskRef task = take_back(donor, ticket - 1)) recalled.push_front(std::move(task));
  return recalled.size();
}

void Engine::recall_all(Worker& donor) { recall_from(donor, shm::slot_count); }

}  // namespace hotspare::detail
