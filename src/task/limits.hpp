#pragma once

#include "os/clock.hpp"

#include <algorithm>
#include <chrono>
#include <cstdint>

/// How long a task may run, and what is due when. Times in ns of CLOCK_MONOTONIC.
namespace hotspare::task {

/// 0: no such limit.
struct Limits {
  std::int64_t hard = 0;
  std::int64_t soft = 0;
  std::int64_t progress = 0;
  std::int64_t grace = 0;  ///< After the soft one.

  bool any() const { return hard != 0 || soft != 0 || progress != 0; }
  /// Nothing is due earlier than this after the task's begin.
  std::int64_t shortest() const {
    std::int64_t least = 0;
    for (const std::int64_t each : {hard, soft, progress})
      if (each != 0 && (least == 0 || each < least)) least = each;
    return least;
  }
};

/// A user's time as a limit: 0 stays none, one that is over before it begins ends the task at once.
constexpr std::int64_t limit_of(std::chrono::nanoseconds wanted) {
  return wanted.count() == 0 ? 0 : std::max<std::int64_t>(1, os::bounded_ns(wanted));
}

/// What its worker tells of a running task: it may be nonsense.
struct Running {
  std::int64_t begun_at = 0;       ///< 0: has only just begun.
  std::int64_t progressed_at = 0;  ///< 0: has not told of any progress.
  bool asked_to_stop = false;      ///< Its soft limit has passed before, and it was told.
};

/// When a running task began: what its worker told (`told`, maybe nonsense), but no later than it was first seen to run
/// (`known`; 0: not before now). Only a task of many begins anew, with each part.
constexpr std::int64_t begin_of(std::int64_t known, std::int64_t told, std::int64_t now, bool many) {
  const bool may_be = told > 0 && told <= now;
  if (known == 0) return may_be ? told : now;
  return many && may_be ? std::max(known, told) : known;
}

struct Step {
  enum class Kind : unsigned char { nothing, ask_to_stop, end_hard, end_soft, end_silent };
  Kind kind = Kind::nothing;
  std::int64_t again_at = 0;  ///< When something may be due next, if the task still runs then; 0: never.
  std::int64_t due_at = 0;    ///< Of an end: when the limit passed.
};

/// The table of what is due. The hard limit comes before all others, and a time in the future is nonsense from the worker:
/// then it has begun now.
inline Step next_step(std::int64_t now, Running running, const Limits& limits) {
  const auto past = [now](std::int64_t at) { return at <= 0 || at > now ? now : at; };
  const std::int64_t begun = past(running.begun_at);
  const std::int64_t heard = std::max(begun, running.progressed_at <= now ? running.progressed_at : 0);
  std::int64_t next = 0;
  const auto is_due = [&](std::int64_t at) {
    if (at <= now) return true;
    if (next == 0 || at < next) next = at;
    return false;
  };
  if (limits.hard != 0 && is_due(begun + limits.hard)) return {Step::Kind::end_hard, 0, begun + limits.hard};
  if (limits.progress != 0 && is_due(heard + limits.progress))
    return {Step::Kind::end_silent, 0, heard + limits.progress};
  if (limits.soft == 0) return {Step::Kind::nothing, next, 0};
  const std::int64_t end = begun + limits.soft + limits.grace;
  if (running.asked_to_stop) {
    if (is_due(end)) return {Step::Kind::end_soft, 0, end};
    return {Step::Kind::nothing, std::min(next, now + limits.soft), 0};  // the next element of a chunk may begin now
  }
  if (!is_due(begun + limits.soft)) return {Step::Kind::nothing, next, 0};
  // However late we are, it is asked first; a look at once if its grace is over, too.
  if (is_due(end)) next = now;
  return {Step::Kind::ask_to_stop, std::min(next, now + limits.soft), 0};
}

}  // namespace hotspare::task
