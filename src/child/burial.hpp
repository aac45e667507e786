#pragma once

#include "child/process.hpp"
#include "os/process.hpp"
#include "worker/last_words.hpp"

#include <hotspare/crash_report.hpp>

#include <memory>

/// The end of a death that pools and channels have in common: evidence, verdict, report.
namespace hotspare::child {

/// Of one that has exited, when its parent does not tell: dead, or stopped. What it has left in its group is ended, for its
/// parent does not do that either.
os::ExitStatus status_without_parent(const Process& process);
/// All that is known by now becomes evidence.
void complete_evidence(Process& process, const os::ExitStatus& status, const worker::LastWords& words);
/// The verdict, and what is known of the process. What it did for its owner is the owner's to add.
std::shared_ptr<CrashReport> report_on(const Process& process);

}  // namespace hotspare::child
