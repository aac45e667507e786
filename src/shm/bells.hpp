#pragma once

#include <atomic>
#include <cstdint>

namespace hotspare::shm {

/// How eager the host's listener is to hear of finished tasks. A waiting caller has a bell of its own.
enum class Ring : std::uint32_t {
  never,     ///< Somebody is looking anyway.
  when_dry,  ///< Only when the worker has nothing left to run.
  always,
};

/// Written by the host; workers map it read-only, so that no stray write can silence another worker.
struct Wishes {
  alignas(64) std::atomic<std::uint32_t> caller{0};  ///< Not 0: a caller sleeps on Bells::caller.
  std::atomic<Ring> listener{Ring::always};
};

/// Rung by workers. Counters only: a stray write can at worst cause a look for nothing.
struct Bells {
  alignas(64) std::atomic<std::uint32_t> caller{0};
  alignas(64) std::atomic<std::uint32_t> listener{0};
  std::atomic<std::uint32_t> requests{0};  ///< Before the listener is rung for anything but a result.
};

}  // namespace hotspare::shm
