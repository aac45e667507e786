#include "task/interruptible.hpp"

#include <utility>

namespace hotspare::detail {
namespace {

thread_local Interruptible* of_this_thread = nullptr;

}  // namespace

Interruptible::Interruptible(void (*to_answer)()) : answer_(to_answer), outer_(std::exchange(of_this_thread, this)) {}
Interruptible::~Interruptible() { of_this_thread = outer_; }

Interruptible* Interruptible::here() noexcept { return of_this_thread; }

void Interruptible::interrupt() {
  ring();
  // SYNC POINT interrupted: rung, then the wake; who waits makes its wake known, then looks whether it was rung.
  const std::lock_guard lock(mutex_);
  if (wake_) wake_();
}

void Interruptible::answer() {
  rung_.store(false, std::memory_order_seq_cst);  // what comes from now on is another one
  answer_();
}

Interruptible::Wake::Wake(Interruptible* whose, std::function<void()> wake) : whose_(whose) {
  if (whose_ == nullptr) return;
  // SYNC POINT interrupted: made known here, before whoever waits looks whether it was rung.
  const std::lock_guard lock(whose_->mutex_);
  whose_->wake_ = std::move(wake);
}

Interruptible::Wake::~Wake() {
  if (whose_ == nullptr) return;
  const std::lock_guard lock(whose_->mutex_);
  whose_->wake_ = nullptr;
}

bool sleep_on(const std::atomic<std::uint32_t>& word, std::uint32_t expected, os::FutexScope scope,
              std::int64_t deadline_ns, Interruptible* here) {
  bool handler_ran = false;
  const bool in_time = os::futex_wait(word, expected, scope, deadline_ns, &handler_ran);
  if (handler_ran && here != nullptr) here->ring();
  return in_time;
}

void sleep_interruptibly(const std::atomic<std::uint32_t>& word, std::uint32_t expected, std::function<void()> wake) {
  Interruptible* const here = Interruptible::here();
  {
    const Interruptible::Wake known(here, std::move(wake));
    if (here == nullptr || !here->rung()) sleep_on(word, expected, os::FutexScope::process, -1, here);
  }
  if (here != nullptr && here->rung()) here->answer();
}

}  // namespace hotspare::detail
