#pragma once

#include "support/test_pool.hpp"

#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <string>
#include <utility>

namespace hotspare::testing {

/// Waits for what subscribers are told: events of one kind, of all or of one alone.
class Witness {
 public:
  explicit Witness(Event::Kind kind = Event::Kind::death, std::string only = {})
      : kind_(kind), only_(std::move(only)) {}
  /// Returns when so many events of the kind have been told.
  void await(std::uint64_t count) {
    std::unique_lock lock(mutex_);
    told_.wait(lock, [&] { return seen_ >= count; });
  }

 private:
  void see(const Event& event) {
    if (event.kind != kind_ || (!only_.empty() && event.source_name != only_)) return;
    const std::lock_guard lock(mutex_);
    ++seen_;
    told_.notify_all();
  }
  const Event::Kind kind_;
  const std::string only_;
  std::mutex mutex_;
  std::condition_variable told_;
  std::uint64_t seen_ = 0;
  Subscription subscription_ = subscribe([this](const Event& event) { see(event); });
};

inline PoolOptions pool_named(const std::string& name) {
  PoolOptions options = small_pool();
  options.name = name;
  options.quarantine_deaths = 0;
  return options;
}

}  // namespace hotspare::testing
