#pragma once

#include "child/process.hpp"
#include "death/detection.hpp"
#include "os/process.hpp"
#include "worker/last_words.hpp"

#include <hotspare/crash_report.hpp>

#include <chrono>
#include <cstddef>
#include <memory>

/// The end of a death that pools and channels have in common: evidence, verdict, report.
namespace hotspare::child {

/// From its birth on. earlier: that of the process before it, and this one's afterwards. Where there is no memory for that,
/// kills for memory are not told from others.
void watch_oom(Process& process, OomWatch& earlier) noexcept;
/// Of one that has exited: what it had become by exec. Where there is no memory for that, it is not told.
void note_program(Process& process) noexcept;
/// Of one that has exited, when its parent does not tell: dead, or stopped. What it has left in its group is ended, for its
/// parent does not do that either.
os::ExitStatus status_without_parent(const Process& process);
/// All that is known by now becomes evidence.
void complete_evidence(Process& process, const os::ExitStatus& status, const worker::LastWords& words);
/// Adds it to the figures of its owner: Stats or StandbyStats.
template <class Counts>
void count_death(Counts& counts, const Process& process, Cause cause) {
  ++counts.deaths;
  ++counts.deaths_by_cause[static_cast<std::size_t>(cause)];
  if (!process.was_ready) ++counts.deaths_before_ready;
  if (const auto ns = death::detection(process.evidence, process.asked_at, process.noticed_at))
    counts.detection.add(std::chrono::nanoseconds(*ns));
}
/// The verdict, and what is known of the process. What it did for its owner is the owner's to add.
std::shared_ptr<CrashReport> report_on(const Process& process);

}  // namespace hotspare::child
