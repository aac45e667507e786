#include "task/dispatcher.hpp"

#include <algorithm>
#include <bit>

namespace hotspare::task {
namespace {

/// Keeps the number of those for whom `counted` holds.
void count(std::size_t& number, bool& counted, bool now) {
  if (counted == now) return;
  counted = now;
  now ? ++number : --number;
}

}  // namespace

void Dispatcher::reserve(std::size_t candidates) {
  busy_.reserve(candidates);
  brisk_.reserve(candidates);
  to_ring_.reserve(candidates);
}

void Dispatcher::touch(Candidate& candidate) noexcept {
  if (candidate.touched_) return;
  candidate.touched_ = true;
  candidate.next_touched_ = touched_;
  touched_ = &candidate;
}

/// All that was touched is where it belongs.
void Dispatcher::settle() noexcept {
  while (touched_ != nullptr) {
    Candidate& candidate = *touched_;
    touched_ = candidate.next_touched_;
    candidate.touched_ = false;
    place(candidate);
  }
}

void Dispatcher::place(Candidate& candidate) noexcept {
  const Account& account = candidate.account;
  const bool slow = !account.empty() && candidate.slow_head == account.head();
  const std::size_t row = Rows::of(candidate.takes_tasks, candidate.silent, slow, account.held(), account.outstanding(),
                                   candidate.prefetch, candidate.handed, most_);
  if (row != candidate.row_) {
    take_from_row(candidate);
    put_in_row(candidate, row);
  }
  if (put(candidate, busy_, &Candidate::busy_at_, !account.empty())) ++version_;
  put(candidate, brisk_, &Candidate::brisk_at_,
      candidate.takes_tasks && candidate.brief && !candidate.silent && !slow && account.held() != 0);
  count(givers_, candidate.can_give_, candidate.takes_tasks && account.held() > 1);
  count(taking_, candidate.counts_, candidate.takes_tasks);
}

/// In a list in which each knows its place, or not in it. True: that is new.
bool Dispatcher::put(Candidate& candidate, List& list, std::size_t Candidate::*at, bool in) noexcept {
  if (in == (candidate.*at != SIZE_MAX)) return false;
  if (in) {
    candidate.*at = list.size();
    list.push_back(&candidate);
    return true;
  }
  list[candidate.*at] = list.back();
  list.back()->*at = candidate.*at;
  candidate.*at = SIZE_MAX;
  list.pop_back();
  return true;
}

void Dispatcher::put_in_row(Candidate& candidate, std::size_t row) noexcept {
  candidate.row_ = row;
  if (row == Rows::none) return;
  candidate.previous_ = nullptr;
  candidate.next_ = first_[row];
  if (candidate.next_ != nullptr) candidate.next_->previous_ = &candidate;
  first_[row] = &candidate;
  if (row != Rows::last_resort) used_[row / bits] |= std::uint64_t{1} << row % bits;
}

void Dispatcher::take_from_row(Candidate& candidate) noexcept {
  const std::size_t row = candidate.row_;
  if (row == Rows::none) return;
  (candidate.previous_ != nullptr ? candidate.previous_->next_ : first_[row]) = candidate.next_;
  if (candidate.next_ != nullptr) candidate.next_->previous_ = candidate.previous_;
  if (first_[row] == nullptr && row != Rows::last_resort) used_[row / bits] &= ~(std::uint64_t{1} << row % bits);
}

void Dispatcher::forget(Candidate& candidate) noexcept {
  settle();
  take_from_row(candidate);
  candidate.row_ = Rows::none;
  if (put(candidate, busy_, &Candidate::busy_at_, false)) ++version_;
  put(candidate, brisk_, &Candidate::brisk_at_, false);
  count(givers_, candidate.can_give_, false);
  count(taking_, candidate.counts_, false);
  if (candidate.ring_due_) std::erase(to_ring_, &candidate);
}

Candidate* Dispatcher::choose(Begins begins) noexcept {
  settle();
  if (begins == Begins::in_turn && enough_are_awake() && !wakes_another()) return next_awake();
  for (std::size_t word = 0; word < used_.size(); ++word)
    if (used_[word] != 0) return first_[word * bits + static_cast<std::size_t>(std::countr_zero(used_[word]))];
  return first_[Rows::last_resort];
}

/// With as many workers as cores or fewer the one with the fewest is as good.
bool Dispatcher::enough_are_awake() const noexcept { return taking_ > cores_ && brisk_.size() >= cores_; }

bool Dispatcher::spares_the_idle() noexcept {
  settle();
  return first_[0] != nullptr && enough_are_awake();
}

bool Dispatcher::wakes_another() noexcept {
  if (wakes_ == 0 || first_[0] == nullptr) return false;
  --wakes_;
  return true;
}

std::span<Candidate* const> Dispatcher::awake() const noexcept {
  return std::span(brisk_).first(std::min(cores_, brisk_.size()));
}

/// Null: none of them can take another one.
Candidate* Dispatcher::next_awake() noexcept {
  const std::span<Candidate* const> all = awake();
  for (std::size_t n = 0; n < all.size(); ++n) {
    turn_ = turn_ + 1 < all.size() ? turn_ + 1 : 0;
    if (all[turn_]->row_ != Rows::none) return all[turn_];
  }
  return nullptr;
}

void Dispatcher::stands_still(Candidate& candidate) noexcept {
  if (!candidate.brief) return;
  candidate.brief = false;
  burst_ = finished_ < calm_at_ ? std::min<std::size_t>(2 * burst_ + 1, busy_.capacity()) : 0;
  wakes_ = burst_;
  calm_at_ = finished_ + calm_after;
  touch(candidate);
}

Candidate* Dispatcher::idle() noexcept {
  settle();
  return first_[0];
}

const std::vector<Candidate*>& Dispatcher::busy() noexcept {
  settle();
  return busy_;
}

bool Dispatcher::somebody_can_give() noexcept {
  settle();
  return givers_ != 0;
}

Candidate* Dispatcher::fullest() noexcept {
  if (!somebody_can_give()) return nullptr;
  Candidate* fullest = nullptr;
  std::size_t most = 1;
  for (Candidate* candidate : busy_) {
    if (!candidate->can_give_ || candidate->account.held() <= most) continue;
    most = candidate->account.held();
    fullest = candidate;
  }
  return fullest;
}

void Dispatcher::ring_later(Candidate& candidate) noexcept {
  if (candidate.ring_due_) return;
  candidate.ring_due_ = true;
  to_ring_.push_back(&candidate);
}

}  // namespace hotspare::task
