#pragma once

#include <hotspare/chaos_how.hpp>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <random>
#include <thread>

namespace hotspare::audio {

/// Strikes replicas of a channel, one after the other, about so often (half to one and a half times, drawn): what
/// --chaos asks for. Its own count is there to be held against the channel's.
class Saboteur {
 public:
  /// strike: makes one die in this way, says whether there was one.
  using Strike = std::function<bool(chaos::How)>;
  Saboteur(Strike strike, std::chrono::nanoseconds every, chaos::Hows ways, std::uint64_t seed);
  ~Saboteur();
  Saboteur(const Saboteur&) = delete;
  Saboteur& operator=(const Saboteur&) = delete;
  std::uint64_t strikes() const { return strikes_.load(); }

 private:
  void loop();
  Strike strike_;
  std::chrono::nanoseconds every_;
  chaos::Hows ways_;
  std::mt19937_64 random_;
  std::atomic<std::uint64_t> strikes_{0};
  std::mutex mutex_;
  std::condition_variable ends_;
  bool ending_ = false;
  std::thread thread_;
};

}  // namespace hotspare::audio
