#include "supervisor/engine.hpp"

#include <algorithm>

/// First in, first out, although tasks are handed over early: what has not begun is taken back when somebody comes, falls
/// idle, or has passed it by.
namespace hotspare::detail {
namespace {

/// Whether it comes before what is next in the queue.
bool is_before(const Task& task, const Task* next) {
  if (next == nullptr || task.priority() > next->priority()) return true;
  return task.priority() == next->priority() && task.id < next->id;
}

/// The ticket of what has waited longest behind the task that the worker has first; 0: there is none that has not begun. What
/// others gave back may have been handed to it after younger ones.
std::uint64_t longest_behind(task::Account& account) {
  if (account.held() < 2) return 0;
  std::uint64_t oldest = 0;
  bool behind = false;
  for (std::uint64_t ticket = account.head(); ticket != account.tail(); ++ticket) {
    const TaskRef& task = account.at(ticket).task;
    if (!task) continue;
    if (behind && (oldest == 0 || is_before(*task, account.at(oldest).task.get())) &&
        account.look(ticket) == task::Claim::waits)
      oldest = ticket;
    behind = true;
  }
  return oldest;
}

}  // namespace

/// A worker is idle: it is to run what has waited longest, and that may have been handed to another one early. True: it is
/// the first of the queue now.
bool Engine::recall_oldest() {
  Worker* donor = nullptr;
  std::uint64_t oldest = 0;
  const Task* next = queue_.front();
  for (Worker* worker : active_) {
    const std::uint64_t ticket = longest_behind(worker->account);
    if (ticket == 0 || !is_before(*worker->account.at(ticket).task, next)) continue;
    next = worker->account.at(ticket).task.get();
    donor = worker;
    oldest = ticket;
  }
  if (donor == nullptr) return false;
  TaskRef task = take_back(*donor, oldest);
  if (!task) return false;  // it has just begun
  queue_.put_back(std::move(task));
  return true;
}

/// Where others finished many tasks while one worker still runs the same, what is behind that one has been passed by.
void Engine::recall_overtaken() {
  if (queue_.empty()) return;  // then somebody will be idle soon (balance)
  const std::uint64_t many = 4 * active_.size();
  for (Worker* worker : active_) {
    if (worker->account.held() < 2 || finished_ - worker->overtaken_from < many) continue;
    worker->slow_head = worker->account.head();
    recall_all(*worker);
  }
}

/// A worker without work takes what another has not begun, if that one has not moved since the last look: then its
/// task is a long one, and those behind it would wait for nothing.
void Engine::balance() {
  relook_ = false;
  for (Worker* idle : active_) {
    if (idle->outstanding() != 0) continue;
    Worker* donor = nullptr;
    std::size_t most = 1;
    for (Worker* worker : active_) {
      if (worker->account.held() <= most) continue;
      donor = worker;
      most = worker->account.held();
    }
    if (donor == nullptr) return;
    if (donor->head_at_last_look != donor->account.head()) {
      donor->head_at_last_look = donor->account.head();
      relook_ = true;
      continue;
    }
    // The younger half, but no more than it can take: what is recalled must not wait in the queue beyond its limit.
    if (recall_from(*donor, std::min<std::size_t>((most + 1) / 2, idle->prefetch)) == 0) return;
    while (idle->outstanding() < idle->prefetch && next_may_begin() && give_next(*idle)) {
    }
  }
}

/// Takes back what the worker has not begun, the youngest first, but at most so many. Returns how many.
std::size_t Engine::recall_from(Worker& donor, std::size_t at_most) {
  std::size_t recalled = 0;
  for (std::uint64_t ticket = donor.account.tail(); ticket != donor.account.head() && recalled < at_most; --ticket) {
    TaskRef task = take_back(donor, ticket - 1);
    if (!task) continue;
    ++recalled;
    queue_.put_back(std::move(task));
  }
  return recalled;
}

void Engine::recall_all(Worker& donor) { recall_from(donor, shm::slot_count); }

}  // namespace hotspare::detail
