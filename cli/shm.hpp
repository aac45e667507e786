#pragma once

#include <hotspare/segment_info.hpp>

#include <chrono>
#include <functional>
#include <string>
#include <vector>

namespace hotspare::cli {

struct ShmOptions {
  std::string scope;  ///< Only this one; empty: all, and what has none.
  bool json = false;
  bool dry_run = false;
  bool unregistered = false;
  unsigned count = 0;  ///< Of events, then end; 0: none.
};

/// Each throws Error.
void run_shm_ls(const ShmOptions& options);
void run_shm_gc(const ShmOptions& options);
void run_shm_watch(const ShmOptions& options);

/// The name of a process's program; empty: not known.
using CommandOf = std::function<std::string(int pid)>;
using Now = std::chrono::system_clock::time_point;

/// "12.0 MiB"
std::string size_text(std::uint64_t bytes);
/// "5 s", "3 min", "2 h", "9 d"
std::string age_text(std::chrono::system_clock::duration age);
/// "used", "orphaned", "unregistered, in use" …
std::string state_text(const SegmentInfo& info);
std::string table_of(const std::vector<SegmentInfo>& all, const CommandOf& command, Now now);
std::string json_of(const std::vector<SegmentInfo>& all, const CommandOf& command);
std::string line_of(const SharedMemoryEvent& event, const CommandOf& command);

}  // namespace hotspare::cli
