#include "metrics/subscribers.hpp"

#include "metrics/process_wide.hpp"
#include "os/socket.hpp"

#include <hotspare/error.hpp>
#include <hotspare/health.hpp>

#include <algorithm>
#include <atomic>
#include <cxxabi.h>
#include <exception>
#include <vector>

namespace hotspare {
namespace {

using detail::Subscriber;

struct Subscribers {
  std::mutex mutex;
  std::vector<std::shared_ptr<Subscriber>> all;
  std::atomic<std::size_t> count{0};
};
constinit metrics::ProcessWide<Subscribers> subscribers;

/// Whom this thread is calling.
thread_local const Subscriber* called = nullptr;

void complain(const char* what) noexcept { os::say_on_stderr("hotspare: a subscriber to events threw: %.700s", what); }

}  // namespace

[[gnu::no_sanitize("null")]] void Subscriber::tell(const Event& event) {
  {
    const std::lock_guard lock(mutex_);
    if (ended_) return;
    ++calls_;
  }
  called = this;
  try {
    call_(event);
  } catch (const std::exception& error) {
    complain(error.what());
  } catch (const abi::__forced_unwind&) {
    called_back();
    throw;  // of a thread that ends: not to be kept
  } catch (...) {
    complain("something that is no std::exception");
  }
  called_back();
}

void Subscriber::called_back() noexcept {
  called = nullptr;
  std::function<void(const Event&)> unused;  // what it holds is destroyed under no lock
  const std::lock_guard lock(mutex_);
  if (--calls_ != 0) return;
  if (ended_) unused.swap(call_);
  idle_.notify_all();
}

void Subscriber::end() {
  std::function<void(const Event&)> unused;
  std::unique_lock lock(mutex_);
  ended_ = true;
  if (called != this) idle_.wait(lock, [this] { return calls_ == 0; });
  if (calls_ == 0) unused.swap(call_);
}

namespace metrics {

bool anybody_listens() noexcept {
  const Subscribers* there = subscribers.find();
  return there != nullptr && there->count.load(std::memory_order_acquire) != 0;
}

void publish(const Event& event) {
  if (!anybody_listens()) return;
  std::vector<std::shared_ptr<Subscriber>> now;
  {
    const std::lock_guard lock(subscribers.get().mutex);
    now = subscribers.get().all;
  }
  for (const auto& each : now) each->tell(event);
}

}  // namespace metrics

Subscription subscribe(std::function<void(const Event&)> on_event) {
  if (!on_event) throw Error("hotspare::subscribe needs a function");
  auto subscriber = std::make_shared<Subscriber>(std::move(on_event));
  Subscribers& there = subscribers.get();
  const std::lock_guard lock(there.mutex);
  there.all.push_back(subscriber);
  there.count.store(there.all.size(), std::memory_order_release);
  return Subscription(std::move(subscriber));
}

Subscription::Subscription(std::shared_ptr<Subscriber> subscriber) : subscriber_(std::move(subscriber)) {}
Subscription::~Subscription() { end(); }
Subscription::Subscription(Subscription&&) noexcept = default;
Subscription& Subscription::operator=(Subscription&& other) noexcept {
  if (this == &other) return *this;
  end();
  subscriber_ = std::move(other.subscriber_);
  return *this;
}

void Subscription::end() {
  const std::shared_ptr<Subscriber> subscriber = std::move(subscriber_);
  if (subscriber == nullptr) return;
  Subscribers& there = subscribers.get();
  {
    const std::lock_guard lock(there.mutex);
    const auto found = std::find(there.all.begin(), there.all.end(), subscriber);
    if (found == there.all.end())
      return;  // of the process that this one was forked off: its locks may be held for ever
    there.all.erase(found);
    there.count.store(there.all.size(), std::memory_order_release);
  }
  subscriber->end();
}

}  // namespace hotspare
