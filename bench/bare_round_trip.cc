#include "bare.hpp"

namespace bench::bare {

Echo::Echo()
    : child_([words = words_.get()] {
        for (std::uint32_t seen = 0;;) {
          while (words->ping.load(std::memory_order_acquire) == seen) futex_wait(words->ping, seen);
          ++seen;
          words->pong.store(seen, std::memory_order_release);
          futex_wake(words->pong);
        }
      }) {}

std::int64_t Echo::round_trip() {
  const std::int64_t start = now_ns();
  const std::uint32_t before = round_++;
  words_->ping.store(round_, std::memory_order_release);
  futex_wake(words_->ping);
  while (words_->pong.load(std::memory_order_acquire) == before) futex_wait(words_->pong, before);
  return now_ns() - start;
}

}  // namespace bench::bare
