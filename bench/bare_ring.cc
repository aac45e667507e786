#include "bare.hpp"

#include <algorithm>
#include <cstring>
#include <sched.h>
#include <vector>

namespace bench::bare {
namespace {

constexpr std::size_t ring_bytes = 1 << 20;

/// One producer, one consumer. Each side looks at the other's position only when its own copy of it runs out.
struct Ring {
  alignas(64) std::atomic<std::uint64_t> pushed{0};
  alignas(64) std::atomic<std::uint64_t> popped{0};
  Gate started;
  alignas(64) std::byte bytes[ring_bytes];
};

/// Waits until the position has come past this; gives the core away now and then, as there may be one only.
std::uint64_t wait_past(const std::atomic<std::uint64_t>& position, std::uint64_t than) {
  for (int look = 1;; ++look) {
    const std::uint64_t now = position.load(std::memory_order_acquire);
    if (now > than) return now;
    if (look % 4096 == 0) ::sched_yield();
  }
}

void push_all(Ring& ring, std::size_t size, std::uint64_t messages) {
  const std::uint64_t slots = std::max<std::uint64_t>(1, ring_bytes / size);
  const std::vector<std::byte> message(size, std::byte{1});
  std::uint64_t room_until = slots;
  for (std::uint64_t i = 0; i < messages; ++i) {
    if (i == room_until) room_until = slots + wait_past(ring.popped, i - slots);
    std::memcpy(ring.bytes + i % slots * size, message.data(), size);
    ring.pushed.store(i + 1, std::memory_order_release);
  }
}

void pop_all(Ring& ring, std::size_t size, std::uint64_t messages) {
  const std::uint64_t slots = ring_bytes / size;
  std::vector<std::byte> message(size);
  std::uint64_t there = 0;
  for (std::uint64_t i = 0; i < messages; ++i) {
    if (i == there) there = wait_past(ring.pushed, i);
    std::memcpy(message.data(), ring.bytes + i % slots * size, size);
    keep(message);
    ring.popped.store(i + 1, std::memory_order_release);
  }
}

}  // namespace

double ring_rate(std::size_t message_bytes, std::uint64_t messages) {
  const Shared<Ring> ring;
  std::memset(ring->bytes, 0, ring_bytes);
  Child producer([&] {
    ring->started.wait();
    push_all(*ring, message_bytes, messages);
  });
  rest_ms(2);
  const std::int64_t start = now_ns();
  ring->started.open();
  pop_all(*ring, message_bytes, messages);
  const std::int64_t time = now_ns() - start;
  producer.wait();
  return static_cast<double>(messages) * 1e9 / static_cast<double>(time);
}

}  // namespace bench::bare
