#include "child/oom_watch.hpp"

#include "os/cgroup.hpp"

#include <fstream>
#include <optional>

namespace hotspare::child {
namespace {

/// All three files have a line "oom_kill N".
std::optional<std::uint64_t> kills_told_in(const std::string& file) {
  std::ifstream lines(file);
  std::string key;
  std::uint64_t value = 0;
  while (lines >> key >> value)
    if (key == "oom_kill") return value;
  return std::nullopt;
}

}  // namespace

OomWatch OomWatch::of(pid_t pid, const std::string& root) {
  OomWatch watch;
  for (const std::string& folder : os::cgroup_folders("memory", pid, root)) {
    // v2, of the group itself (Linux 5.2) and of all below; v1 (Linux 4.13).
    for (const char* name : {"/memory.events.local", "/memory.events", "/memory.oom_control"}) {
      const auto told = kills_told_in(folder + name);
      if (!told) continue;
      watch.file_ = folder + name;
      watch.before_ = *told;
      watch.machine_ = false;
      return watch;
    }
  }
  watch.file_ = root + "/proc/vmstat";
  watch.before_ = kills_told_in(watch.file_).value_or(0);
  return watch;
}

std::uint64_t OomWatch::kills() const {
  const std::uint64_t now = kills_told_in(file_).value_or(before_);
  return now > before_ ? now - before_ : 0;
}

}  // namespace hotspare::child
