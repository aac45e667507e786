#include "task/dispatcher.hpp"

#include <algorithm>
#include <bit>

namespace hotspare::task {

void Dispatcher::reserve(std::size_t candidates) {
  busy_.reserve(candidates);
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
  const std::size_t row = Rows::of(candidate.takes_tasks, candidate.silent, slow, account.outstanding(),
                                   candidate.prefetch, candidate.handed, most_);
  if (row != candidate.row_) {
    take_from_row(candidate);
    put_in_row(candidate, row);
  }
  place_among_busy(candidate, !account.empty());
  const bool can_give = candidate.takes_tasks && account.held() > 1;
  if (can_give == candidate.can_give_) return;
  candidate.can_give_ = can_give;
  givers_ += can_give ? 1 : SIZE_MAX;
}

void Dispatcher::place_among_busy(Candidate& candidate, bool busy) noexcept {
  if (busy == (candidate.busy_at_ != SIZE_MAX)) return;
  ++version_;
  if (busy) {
    candidate.busy_at_ = busy_.size();
    busy_.push_back(&candidate);
    return;
  }
  Candidate* const last = busy_.back();
  busy_[candidate.busy_at_] = last;
  last->busy_at_ = candidate.busy_at_;
  candidate.busy_at_ = SIZE_MAX;
  busy_.pop_back();
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
  place_among_busy(candidate, false);
  givers_ -= candidate.can_give_ ? 1 : 0;
  candidate.can_give_ = false;
  if (candidate.ring_due_) std::erase(to_ring_, &candidate);
}

Candidate* Dispatcher::choose() noexcept {
  settle();
  for (std::size_t word = 0; word < used_.size(); ++word)
    if (used_[word] != 0) return first_[word * bits + static_cast<std::size_t>(std::countr_zero(used_[word]))];
  return first_[Rows::last_resort];
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
