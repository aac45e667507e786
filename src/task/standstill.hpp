#pragma once

#include "task/dispatcher.hpp"

#include <cstdint>

/// Tasks are handed over early, and so wait behind others. Whoever has had the same task first for a while runs a long one:
/// what is behind it is better taken back. Nobody rings for that, so somebody has to look again.
namespace hotspare::task {

/// Guarded by the mutex of the pool.
class Standstill {
 public:
  /// For so long.
  static constexpr std::int64_t still_ns = 50'000;
  /// How long to sleep at most where somebody is to look again.
  static constexpr std::int64_t again_ns = 100'000;

  /// From here on nobody is to look again, unless `found` says so.
  void begin() noexcept { wanted_ = false; }
  /// Whether it stands still. If that can't be said yet, somebody is to look again.
  bool found(Candidate& candidate, std::int64_t now) noexcept;
  /// Somebody is to look again soon.
  bool wanted() const noexcept { return wanted_; }

 private:
  bool wanted_ = false;
};

}  // namespace hotspare::task
