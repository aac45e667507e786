#pragma once

#include "os/result.hpp"

#include <cstddef>
#include <cstdint>
#include <span>
#include <sys/types.h>

/// What keeps a thread on time. All of it may be refused; whoever asks says so loudly.
namespace hotspare::os {

/// What was refused: bits, so that they fit into a word that processes share.
enum class Hygiene : std::uint32_t { realtime = 1, locked_memory = 2, locked_later = 4 };

/// SCHED_FIFO for this thread. Its forks get normal scheduling.
Status use_realtime(int priority);
/// Normal scheduling for all threads of another process that is dying: freeing its memory must not be as urgent as what it did.
void demote_process(pid_t pid) noexcept;
/// All pages of this process that are there, and each that comes from now on. What was refused: 0, Hygiene::locked_memory:
/// nothing is locked, or Hygiene::locked_later: a limit on locked memory applies, which what comes later would meet as
/// allocations that fail.
std::uint32_t lock_all_memory() noexcept;
/// These pages.
Status lock_pages(std::span<std::byte> bytes);
/// SIGXCPU after so much CPU time at a real-time priority without a sleep, SIGKILL after ten times that: a real-time thread
/// that spins would keep everybody else from its core.
void limit_realtime_burst(std::int64_t us) noexcept;
/// For this thread: denormal numbers count as zero.
void flush_denormals() noexcept;

}  // namespace hotspare::os
