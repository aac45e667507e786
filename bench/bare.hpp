#pragma once

#include "process.hpp"
#include "samples.hpp"

#include <cstddef>
#include <cstdint>

/// The limits: what the kernel and the memory give to whoever uses them with nothing in between.
namespace bench::bare {

/// Messages per second through a ring in shared memory, pushed by one process, popped by another, copied in and out.
double ring_rate(std::size_t message_bytes, std::uint64_t messages);

/// A process that answers each wake with a wake: blocking futexes, no spinning.
class Echo {
 public:
  Echo();
  /// One wake there and one back, ns.
  std::int64_t round_trip();

 private:
  struct Words {
    alignas(64) std::atomic<std::uint32_t> ping{0};
    alignas(64) std::atomic<std::uint32_t> pong{0};
  };
  Shared<Words> words_;
  std::uint32_t round_ = 0;
  Child child_;
};

enum class Notice : unsigned char { robust_futex, pidfd };
/// SIGKILL to a process with so many resident bytes until another process, parked on the notice, runs; µs.
/// fifo: SCHED_FIFO priority of the one that dies, the other one stands above; 0: none.
Samples death_notice_us(Notice notice, std::size_t resident, int rounds, int fifo = 0);

/// fork() of this process until the child's first statement; µs.
Samples fork_us(int rounds);

}  // namespace bench::bare
