#include "pool_watch.hpp"

namespace bench {

hotspare::PoolOptions PoolWatch::observe(hotspare::PoolOptions options) {
  options.worker_stderr = hotspare::Stderr::capture;
  options.on_event = [this](const hotspare::Event& event) { note(event); };
  return options;
}

void PoolWatch::note(const hotspare::Event& event) {
  std::lock_guard lock(mutex_);
  if (event.kind == hotspare::Event::Kind::worker_ready) {
    ++ready_;
    last_ready_ns_ = std::chrono::nanoseconds(event.at.time_since_epoch()).count();
  }
  if (event.kind == hotspare::Event::Kind::death) ++deaths_;
  changed_.notify_all();
}

void PoolWatch::wait_for(std::uint64_t ready, std::uint64_t deaths) {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] { return ready_ >= ready && deaths_ >= deaths; });
}

std::uint64_t PoolWatch::ready() const {
  std::lock_guard lock(mutex_);
  return ready_;
}

std::uint64_t PoolWatch::deaths() const {
  std::lock_guard lock(mutex_);
  return deaths_;
}

std::int64_t PoolWatch::last_ready_ns() const {
  std::lock_guard lock(mutex_);
  return last_ready_ns_;
}

}  // namespace bench
