#include "task/account.hpp"

#include "os/check.hpp"

#include <utility>

namespace hotspare::task {

using shm::SlotState;

Claim Account::look(std::uint64_t ticket) {
  Attempt& attempt = at(ticket);
  // Loaded first: whoever has told when it began had said before that it runs.
  const bool told_begin = slot(ticket).begun_at.load(std::memory_order_acquire) != 0;
  // SYNC POINT result: released by the worker's commit. Sequentially consistent, after the store of a wish: either we see
  // the commit, or the worker sees the wish (SYNC POINT result-bell).
  const Claim claimed = claim(attempt.standing, ticket, slot(ticket).word.load(std::memory_order_seq_cst));
  if (claimed == Claim::runs) attempt.standing = Standing::begun;
  if (claimed == Claim::waits && told_begin) return Claim::nonsense;
  return claimed;
}

bool Account::claims_too_much() const {
  return empty() && shm::unpack(slot(tail_).word.load(std::memory_order_relaxed)).ticket == tail_;
}

void Account::hand_over(detail::TaskRef task) {
  HS_CHECK(outstanding() < shm::slot_count);
  const std::uint64_t ticket = tail_++;
  if (const detail::TaskRef& before = at(ticket - 1).task; ticket != head_ && (!before || comes_before(*task, *before)))
    disordered_ = ticket;
  Attempt& attempt = at(ticket);
  attempt.task = std::move(task);
  attempt.standing = Standing::handed;
  attempt.begun_at = 0;
  ++held_;
  // SYNC POINT task-handed: acquired by the worker's look_at.
  slot(ticket).word.store(shm::pack({ticket, SlotState::queued}), std::memory_order_seq_cst);
}

bool Account::take_back(std::uint64_t ticket) {
  Attempt& attempt = at(ticket);
  if (attempt.standing != Standing::handed || !swap(ticket, SlotState::queued, SlotState::recalled)) return false;
  attempt.standing = Standing::recalled;
  return true;
}

bool Account::condemn(std::uint64_t ticket) {
  Attempt& attempt = at(ticket);
  if (attempt.standing != Standing::handed && attempt.standing != Standing::begun) return false;
  if (!swap(ticket, SlotState::running, SlotState::condemned)) return false;
  attempt.standing = Standing::condemned;
  return true;
}

detail::TaskRef Account::let_go(std::uint64_t ticket) {
  Attempt& attempt = at(ticket);
  detail::TaskRef task = std::move(attempt.task);
  HS_CHECK(task);
  --held_;
  // Nothing that the word says later concerns anybody.
  if (attempt.standing == Standing::handed || attempt.standing == Standing::begun) attempt.standing = Standing::closed;
  return task;
}

void Account::close_head() {
  HS_CHECK(!empty() && !at(head_).task);
  at(head_++).standing = Standing::closed;
}

/// Whoever wins this exchange has the ticket: the worker begins or commits, or we take it back or condemn it.
bool Account::swap(std::uint64_t ticket, SlotState from, SlotState to) {
  std::uint64_t expected = shm::pack({ticket, from});
  return slot(ticket).word.compare_exchange_strong(expected, shm::pack({ticket, to}), std::memory_order_seq_cst);
}

}  // namespace hotspare::task
