#pragma once

#include "shm/channel.hpp"
#include "task/task.hpp"

#include <array>
#include <cstddef>
#include <cstdint>

/// The host's own account of what it handed to a worker. The word that both share only claims a step: it is checked against
/// the state that the host keeps here, and nothing else moves that state. So no word that a worker writes can lose a task,
/// settle it twice, or lead the host to one that is not there.
namespace hotspare::task {

/// Where the host has a ticket.
enum class Standing : std::uint8_t {
  closed,     ///< Not handed over, or over.
  handed,     ///< Handed over, not known to have begun.
  begun,      ///< Its worker said once that it runs.
  recalled,   ///< Taken back before it began: the worker is to skip it.
  condemned,  ///< Its attempt was ended while it ran: it does not count any more.
  count
};

/// What a word means, as the host has its ticket.
enum class Claim : std::uint8_t {
  waits,     ///< Has not begun.
  runs,      ///< Has begun.
  finished,  ///< There is an outcome.
  passed,    ///< Was taken back: the slot is free again.
  fenced,    ///< Was condemned: its worker is being ended.
  nonsense,  ///< Cannot have come from what the host did: the worker is not to be trusted any more.
};

/// The whole table. `ticket`: the one whose word it ought to be.
constexpr Claim claim(Standing standing, std::uint64_t ticket, std::uint64_t word) {
  using enum Claim;
  constexpr std::size_t standings = static_cast<std::size_t>(Standing::count);
  constexpr std::size_t states = static_cast<std::size_t>(shm::SlotState::condemned) + 1;
  constexpr std::array<std::array<Claim, states>, standings> table{{
      //              empty     queued    running   done      recalled  condemned
      /* closed    */ {nonsense, nonsense, nonsense, nonsense, nonsense, nonsense},
      /* handed    */ {nonsense, waits, runs, finished, nonsense, nonsense},
      /* begun     */ {nonsense, nonsense, runs, finished, nonsense, nonsense},
      /* recalled  */ {nonsense, nonsense, nonsense, nonsense, passed, nonsense},
      /* condemned */ {nonsense, nonsense, nonsense, nonsense, nonsense, fenced},
  }};
  const shm::SlotWord said = shm::unpack(word);
  const auto state = static_cast<std::size_t>(said.state);
  if (said.ticket != ticket || state >= states || standing >= Standing::count) return nonsense;
  return table[static_cast<std::size_t>(standing)][state];
}

/// Whether it is to run before that one: what the queue goes by, too.
inline bool comes_before(const detail::Task& task, const detail::Task& other) {
  if (task.priority() != other.priority()) return task.priority() > other.priority();
  return task.id < other.id;
}

/// One ticket's entry.
struct Attempt {
  detail::TaskRef task;  ///< Null: it is this worker's no more.
  Standing standing = Standing::closed;
  std::int64_t begun_at = 0;    ///< When the host has it that it began, ns; 0: not known to have begun.
  std::uint64_t inbox_end = 0;  ///< Up to where the inbox is free when it is over.
};

/// The tickets [head, tail) of one worker, and the words of which it may change some. Guarded by the engine's mutex.
class Account {
 public:
  explicit Account(shm::Channel& channel) : channel_(channel) {}

  std::uint64_t head() const { return head_; }
  std::uint64_t tail() const { return tail_; }
  bool empty() const { return head_ == tail_; }
  std::uint64_t outstanding() const { return tail_ - head_; }
  /// No slot is free, be it that what is in them was taken back and waits to be skipped.
  bool is_full() const { return outstanding() >= shm::slot_count; }
  /// Of these, the ones whose tasks are still this worker's.
  std::size_t held() const { return held_; }
  Attempt& at(std::uint64_t ticket) { return attempts_[ticket % shm::slot_count]; }
  const Attempt& at(std::uint64_t ticket) const { return attempts_[ticket % shm::slot_count]; }
  /// Behind the oldest one each task is to run before the next: none was handed over after one that it comes before.
  bool is_in_order() const { return disordered_ <= head_ + 1; }
  shm::TaskSlot& slot(std::uint64_t ticket) const { return channel_.slot(ticket); }
  bool holds(const detail::Task& task) const {
    return task.ticket >= head_ && task.ticket < tail_ && at(task.ticket).task.get() == &task;
  }

  /// What its word claims now. A begin, once seen, is remembered.
  Claim look(std::uint64_t ticket);

  /// Its next ticket has a word already, though there is no such task.
  bool claims_too_much() const;

  // The transitions. Each moves the host's state and no other does.

  /// At the tail, when all else of the slot is written.
  void hand_over(detail::TaskRef task);
  /// handed → recalled. False: it has begun, or its word is nonsense.
  bool take_back(std::uint64_t ticket);
  /// handed or begun → condemned. False: it does not run.
  bool condemn(std::uint64_t ticket);
  /// The task is this worker's no more: it was taken back or condemned, or its outcome is to be taken now.
  detail::TaskRef let_go(std::uint64_t ticket);
  /// The oldest ticket is over.
  void close_head();

 private:
  bool swap(std::uint64_t ticket, shm::SlotState from, shm::SlotState to);

  shm::Channel& channel_;
  std::uint64_t head_ = 1;
  std::uint64_t tail_ = 1;
  std::uint64_t disordered_ = 0;  ///< The last ticket whose task comes before that of the ticket before it.
  std::size_t held_ = 0;
  std::array<Attempt, shm::slot_count> attempts_;
};

}  // namespace hotspare::task
