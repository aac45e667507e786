#include "saboteur.hpp"

#include <utility>

namespace hotspare::audio {

Saboteur::Saboteur(Strike strike, std::chrono::nanoseconds every, chaos::Hows ways, std::uint64_t seed)
    : strike_(std::move(strike)), every_(every), ways_(ways), random_(seed), thread_([this] { loop(); }) {}

Saboteur::~Saboteur() {
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
    ends_.notify_all();
  }
  thread_.join();
}

/// The ways in turn, the times drawn: over many strikes each way meets each phase of a block.
void Saboteur::loop() {
  std::uniform_real_distribution<double> share(0.5, 1.5);
  unsigned way = 0;
  std::unique_lock lock(mutex_);
  for (;;) {
    const auto pause = std::chrono::duration_cast<std::chrono::nanoseconds>(every_ * share(random_));
    if (ends_.wait_for(lock, pause, [this] { return ending_; })) return;
    while (!ways_.contains(static_cast<chaos::How>(way % chaos::ways))) ++way;
    if (strike_(static_cast<chaos::How>(way % chaos::ways))) {
      ++strikes_;
      ++way;
    }
  }
}

}  // namespace hotspare::audio
