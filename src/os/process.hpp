#pragma once

#include "os/fd.hpp"
#include "os/result.hpp"
#include "os/self_memory.hpp"

#include <chrono>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <sys/types.h>
#include <vector>

namespace hotspare::os {

/// How a process ended and what it used, as the kernel says.
struct ExitStatus {
  bool known = false;   ///< False: somebody else reaped it and the kernel no longer tells.
  int wait_status = 0;  ///< As of waitpid.
  bool usage_known = false;
  std::uint64_t peak_rss_bytes = 0;
  std::int64_t cpu_us = 0;  ///< User and system time.
};

/// A descriptor of a process: it never means another process, even when the pid is used again.
Result<Fd> open_pidfd(pid_t pid);
/// The same without memory for a reason; empty: there is none.
Fd pidfd_of(pid_t pid) noexcept;
/// What became of a signal.
enum class Delivery : unsigned char {
  sent,
  gone,  ///< Nobody is there any more to get it.
  refused  ///< By the kernel: this process has not (or no longer) the right, a filter forbids the call, or there is no pidfd.
};
Delivery signal_process(const Fd& pidfd, int signal) noexcept;
/// Signals a whole group. WARNING: only while its leader is alive or a zombie that we have not reaped; afterwards the
/// number may be another's.
Delivery signal_group(pid_t group, int signal) noexcept;
/// Signals a child of this process by its number, which nobody but its parent can be sure of: it is the child's until we
/// reap it.
Delivery signal_child(pid_t pid, int signal) noexcept;
/// Reaps a child that has ended (waits for it until then) with its resource usage. known=false if it is no child of ours.
ExitStatus reap_child(pid_t pid) noexcept;
/// The same without waiting, whatever number it had; known=false also if it has not ended.
ExitStatus reap_child(const Fd& pidfd) noexcept;
bool is_own_child(pid_t pid) noexcept;
/// Whether a child of ours has ended and waits to be reaped.
bool child_has_ended(pid_t pid) noexcept;
/// Reaps a child if it has ended; its wait status, or -1 if it is none of ours (any more).
std::optional<int> reap_if_ended(pid_t pid) noexcept;
/// The exit status of somebody else's child, from its pidfd (Linux 6.15, only after it was reaped).
ExitStatus exit_status_of(const Fd& pidfd) noexcept;
/// pidfd: or what stands in its stead (os/end_teller.hpp).
bool exited(const Fd& pidfd) noexcept;
/// Whether this process leads a process group in the session that we are in.
bool leads_group_of_our_session(pid_t pid) noexcept;
/// Waits until the process has ended.
void wait_exit(const Fd& pidfd) noexcept;
/// The same, but not for longer than that. False: it has not ended.
bool wait_exit(const Fd& pidfd, std::chrono::milliseconds at_most) noexcept;

/// fork() with glibc's and the program's fork handlers. 0 in the child.
Result<pid_t> fork_process();
/// A process that shares our memory must not go on: ends it without exit handlers.
[[noreturn]] void exit_now(int code) noexcept;
/// Starts a program (empty: this same one afresh, with its own arguments) with one more variable in its environment. It
/// inherits these descriptors, also if they are close-on-exec.
Result<pid_t> spawn(const std::vector<std::string>& command, const std::string& variable, const std::string& value,
                    const std::vector<int>& kept);

pid_t own_pid() noexcept;
Status become_group_leader();
/// By the parent, for a child that may not have run yet: signals to the parent's own group do not reach it any more.
void make_group_leader(pid_t child) noexcept;
/// Waits until this process's parent is no longer that one.
void wait_for_other_parent(pid_t parent) noexcept;
/// Orphans among our descendants become our children.
Status adopt_orphans();
/// Children of this (single-threaded) process, from /proc.
std::vector<pid_t> own_children();
/// Threads of this process; without /proc 2 stands for several.
int own_threads();
/// Descriptors that this process may have open (soft RLIMIT_NOFILE).
std::size_t descriptor_limit() noexcept;
void set_title(const std::string& title) noexcept;
/// Lets that process trace us where Yama would forbid it; costs nothing elsewhere.
void allow_tracer(pid_t pid) noexcept;
/// The kernel's OOM killer takes this process before others of its size.
void offer_to_oom_killer() noexcept;
/// No core dumps: dumping 1 GB delays every later notice of the death by seconds.
void forbid_core_dumps() noexcept;
/// The start of a file, no more than size - 1 bytes, and a 0 behind it. Returns how many; 0: it cannot be read.
/// Async-signal-safe.
std::size_t read_small_file(const char* path, char* room, std::size_t size) noexcept;
/// The same, of one that the kernel gives in pieces, as it does with more than a page.
std::size_t read_file_in_pieces(const char* path, char* room, std::size_t size) noexcept;
/// Adds a line in one write. Async-signal-safe.
void append_to_file(const char* path, const char* line) noexcept;
void redirect_stderr(const Fd& to) noexcept;

/// This process's memory, bytes. All 0: /proc cannot be read. Async-signal-safe.
struct MemoryInUse {
  std::uint64_t data = 0;             ///< Private writable memory, touched or not, as RLIMIT_DATA counts it.
  std::uint64_t anonymous = 0;        ///< In memory, of no file.
  std::uint64_t file_and_shared = 0;  ///< In memory, of files and segments.
};
MemoryInUse memory_in_use() noexcept;
/// That much more private writable memory, for as long as the limit of it (DataLimit) is in force.
void widen_data_limit(std::uint64_t by_bytes) noexcept;

}  // namespace hotspare::os
