#pragma once

#include <hotspare/crash_report.hpp>

#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

namespace hotspare::death {

/// What has killed workers, by its key, and what has killed so many that no more are risked.
class Quarantine {
 public:
  using Deaths = std::vector<std::shared_ptr<const CrashReport>>;

  /// 0: nothing ever is in quarantine.
  explicit Quarantine(unsigned deaths) : most_(deaths) {}

  void killed(const std::string& key, std::shared_ptr<const CrashReport> report) {
    if (most_ != 0) deaths_[key].push_back(std::move(report));
  }
  bool any() const { return !deaths_.empty(); }
  bool holds(std::size_t deaths) const { return most_ != 0 && deaths >= most_; }
  /// Oldest first; null if it has killed none.
  const Deaths* deaths_of(const std::string& key) const {
    const auto found = deaths_.find(key);
    return found == deaths_.end() ? nullptr : &found->second;
  }

 private:
  unsigned most_;
  std::unordered_map<std::string, Deaths> deaths_;
};

}  // namespace hotspare::death
