#include "supervisor/engine.hpp"

#include <hotspare/pool.hpp>

namespace hotspare {

Pool::Pool(PoolOptions options) : engine_(std::make_shared<detail::Engine>(std::move(options))) { engine_->start(); }
Pool::Pool(Pool&&) noexcept = default;
Pool& Pool::operator=(Pool&& other) noexcept {
  Pool old(std::move(*this));
  engine_ = std::move(other.engine_);
  return *this;
}

Pool::~Pool() {
  if (engine_ == nullptr) return;
  if (!engine_->in_host()) {
    // In a fork of the host, an exiting worker say: the processes and threads are not ours to end.
    // NOLINTNEXTLINE(bugprone-unhandled-exception-at-new): without memory for a pointer the process may end
    static_cast<void>(new std::shared_ptr<detail::Engine>(std::move(engine_)));
    return;
  }
  if (engine_->on_own_thread()) {
    detail::Engine& engine = *engine_;
    engine.close_in_background(std::move(engine_));
  } else {
    engine_->shutdown(true, false);
  }
}

Buffer Pool::buffer(std::size_t bytes) { return engine_->buffer(bytes); }
void Pool::shutdown(bool wait, bool cancel, std::size_t keep, std::optional<std::chrono::nanoseconds> grace) {
  engine_->shutdown(wait, cancel, keep, grace);
}
void Pool::resize(unsigned workers) { engine_->resize(workers); }
Stats Pool::stats() const { return engine_->stats(); }
std::vector<std::int64_t> Pool::worker_pids() const { return engine_->worker_pids(); }
std::vector<std::int64_t> Pool::started_pids(std::size_t at_least) const { return engine_->started_pids(at_least); }
std::string Pool::broken() const { return engine_->broken(); }
std::int64_t Pool::zygote_pid() const { return engine_->zygote_pid(); }
unsigned Pool::usable_workers() const { return engine_->target(); }

}  // namespace hotspare
