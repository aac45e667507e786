#include "bare.hpp"

namespace bench::bare {

Samples fork_us(int rounds) {
  const Shared<std::atomic<std::int64_t>> born_at;
  Samples samples;
  for (int i = 0; i < rounds; ++i) {
    const std::int64_t start = now_ns();
    Child child([&] { born_at->store(now_ns(), std::memory_order_release); });
    child.wait();
    samples.add(static_cast<double>(born_at->load(std::memory_order_acquire) - start) / 1e3);
  }
  return samples;
}

}  // namespace bench::bare
