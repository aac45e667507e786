#include "os/clock.hpp"
#include "supervisor/engine.hpp"

#include <utility>

/// The steps of an attempt as the pool counts them, each in one place: handed over, taken back, condemned, over. The
/// account (task/account.hpp) says whether a step may be taken; here is what it means for everybody else.
namespace hotspare::detail {

void Engine::note_handed(Worker& worker, TaskRef task) {
  if (worker.account.held() == 0) {
    worker.progressed_at = os::monotonic_ns();
    worker.overtaken_from = dispatcher_.finished();
    note_for_leader();  // it looks at those that were busy when it last had the mutex
  }
  task->worker = worker.id;
  task->ticket = worker.account.tail();
  ++worker.handed;
  ++counts_.in_workers;
  admission_.handed(*task);
  worker.account.hand_over(std::move(task));
  dispatcher_.touch(worker);
  dispatcher_.ring_later(worker);
}

/// Null: it has begun, or its word is nonsense.
TaskRef Engine::take_back(Worker& worker, std::uint64_t ticket) {
  if (!worker.account.take_back(ticket)) return {};
  TaskRef task = let_go(worker, ticket);
  --worker.handed;
  ++counts_.recalled;
  admission_.leave(*task, task::Gate::End::not_begun);
  return task;
}

/// Null: it does not run. Its tags are left when it is settled, for until then its worker may still be there.
TaskRef Engine::condemn_attempt(Worker& worker, std::uint64_t ticket) {
  if (!worker.account.condemn(ticket)) return {};
  return let_go(worker, ticket);
}

TaskRef Engine::let_go(Worker& worker, std::uint64_t ticket) {
  TaskRef task = worker.account.let_go(ticket);
  task->worker = 0;
  --counts_.in_workers;
  admission_.let_go(*task);
  dispatcher_.touch(worker);
  return task;
}

void Engine::close_head(Worker& worker) {
  worker.inbox_freed = worker.account.at(worker.account.head()).inbox_end;
  worker.account.close_head();
  dispatcher_.touch(worker);
}

/// It ran when its worker was condemned. Only a worker that wrote nonsense can have run two: then it cannot be told which of
/// them it was, and neither is run again unless its policy allows that.
void Engine::lose(Worker& worker, TaskRef task) {
  if (!worker.victim) {
    worker.victim = std::move(task);
    return;
  }
  try {
    worker.other_victims.push_back(task);
  } catch (const std::bad_alloc&) {
    admission_.leave(*task, task::Gate::End::failed);
    no_memory_for(std::move(task));
  }
}

/// What it wrote cannot be: it is ended, and what it has goes to others.
void Engine::distrust(Worker& worker, const char* why) {
  if (worker.evidence.ended_by != death::EndedBy::nobody) return;  // condemning it finds the same nonsense again
  try {
    worker.evidence.protocol_error = why;
  } catch (const std::bad_alloc&) {  // then it is not told
  }
  end_worker(worker, death::EndedBy::protocol);
}

/// What the word of this ticket claims. If that is nonsense its worker is ended.
task::Claim Engine::look_at(Worker& worker, std::uint64_t ticket) {
  const task::Claim claim = worker.account.look(ticket);
  if (claim == task::Claim::nonsense) distrust(worker, "the word of a ticket is damaged");
  return claim;
}

}  // namespace hotspare::detail
