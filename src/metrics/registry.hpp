#pragma once

#include "metrics/figures.hpp"

#include <atomic>
#include <cstdint>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

/// All pools and standby channels of this process, living and closed.
namespace hotspare::metrics {

/// Those of one kind that share a name, or all of them.
template <class S>
struct Total {
  std::uint64_t made = 0;
  std::uint64_t open = 0;
  S stats;
};
/// By label.
struct Totals {
  std::map<std::string, Total<Stats>> pools;
  std::map<std::string, Total<StandbyStats>> channels;
};

/// More names than that share one label: whoever makes up a name for each pool must not fill the memory.
inline constexpr std::size_t most_labels = 256;
inline constexpr const char* other_label = "(others)";

/// The pools, or the channels, that are open, and the sums of the others. Whoever closes goes from the ones to the others in
/// one critical section, so that nobody ever sees a counter go down.
/// Threads: any. WARNING: it calls what looks at a pool, which takes the pool's mutex: it must not be called under that.
template <class S>
class Book {
 public:
  using Look = std::function<S()>;
  struct Entry {
    std::string label;
    Look look;
  };
  using Place = typename std::list<Entry>::iterator;

  Place open(const std::string& name, Look look);
  /// The last look: after that its figures must not change any more.
  void close(Place place);
  std::map<std::string, Total<S>> totals() const;

 private:
  mutable std::mutex mutex_;
  std::list<Entry> open_;
  std::map<std::string, Total<S>> closed_;  ///< An entry for each label ever used.
};

struct Registry {
  Book<Stats> pools;
  Book<StandbyStats> channels;
  template <class S>
  Book<S>& book() {
    if constexpr (std::is_same_v<S, Stats>) {
      return pools;
    } else {
      return channels;
    }
  }
};

/// This process's, never destroyed. A fork begins with a new one, whatever locks of the old one were held at that moment.
Registry& registry();
/// Whether it is still that: in a fork the old one must not be touched.
bool is_current(const Registry* registry) noexcept;

/// Keeps one pool or channel in the registry. One thread at a time.
template <class S>
class Registration {
 public:
  Registration() = default;
  ~Registration() { close(); }
  Registration(const Registration&) = delete;
  Registration& operator=(const Registration&) = delete;

  void open(const std::string& name, std::function<S()> look) {
    registry_ = &registry();
    place_ = registry_->book<S>().open(name, std::move(look));
  }
  void close() {
    if (registry_ != nullptr && is_current(registry_)) registry_->book<S>().close(place_);
    registry_ = nullptr;
  }

 private:
  Registry* registry_ = nullptr;
  typename Book<S>::Place place_;
};

}  // namespace hotspare::metrics
