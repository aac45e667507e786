#pragma once

#include "death/causes.hpp"
#include "os/clock.hpp"
#include "task/payload.hpp"
#include "task/reason.hpp"

#include <hotspare/crash_report.hpp>
#include <hotspare/detail/task_ref.hpp>
#include <hotspare/retries.hpp>

#include <algorithm>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

namespace hotspare::detail {

/// What is left of an attempt while it is decided whether there is another one, and of the last one until the task settles.
struct FailedAttempt {
  Ending ending = Ending::died;               ///< As the task would end.
  std::shared_ptr<const CrashReport> report;  ///< If it died.
  Payload payload;                            ///< The exception, if it raised one.
  std::vector<SegmentRef> segments;           ///< What that refers to.
  std::uint64_t task_id = 0;
  unsigned attempt = 0;
};

/// What a future throws for a death.
std::exception_ptr death_error(const CrashReport& report);

}  // namespace hotspare::detail

namespace hotspare::task {

constexpr Reason reason_of(Cause cause) { return death::facts_of(cause).reason; }

/// What a task has behind it.
struct Attempts {
  unsigned begun = 0;       ///< The failed one included.
  unsigned for_memory = 0;  ///< Of these, so many died for want of memory.
};

/// Whether the policy allows another attempt, before anybody is asked.
inline bool allows_another(const Retries& policy, Reason reason, Attempts attempts) {
  if (policy.attempts <= 1 || reason == Reason::planned) return false;
  if (reason == Reason::memory) return attempts.for_memory <= policy.memory_attempts;
  if (attempts.begun - attempts.for_memory >= policy.attempts) return false;
  switch (reason) {
    case Reason::exception: return policy.on_exception;
    case Reason::timeout: return policy.on_timeout;
    case Reason::death: return policy.on_death;
    case Reason::memory:
    case Reason::planned: break;
  }
  return false;
}

/// The pause before the next attempt; before: the last pause of this task, 0 if there was none. random: in [0, 1).
inline std::int64_t next_pause(const Retries& policy, std::int64_t before, double random) {
  const std::int64_t base = std::max<std::int64_t>(0, os::bounded_ns(policy.base));
  const std::int64_t cap = std::max<std::int64_t>(0, os::bounded_ns(policy.cap));
  if (base == 0 || cap == 0) return 0;
  const double most = 3.0 * static_cast<double>(std::max(before, base));
  const double drawn = static_cast<double>(base) + random * (most - static_cast<double>(base));
  return drawn >= static_cast<double>(cap) ? cap : static_cast<std::int64_t>(drawn);
}

/// A pool's RetryBudget in use.
class Budget {
 public:
  explicit Budget(const RetryBudget& rule) : rule_(rule), tokens_(rule.tokens) {}
  void a_value() { tokens_ = std::min(rule_.tokens, tokens_ + rule_.per_value); }
  /// False: there is none left.
  bool take() {
    if (tokens_ < 1) return false;
    tokens_ -= 1;
    return true;
  }

 private:
  RetryBudget rule_;
  double tokens_;
};

}  // namespace hotspare::task
