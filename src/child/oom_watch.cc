#include "child/oom_watch.hpp"

#include "os/cgroup.hpp"
#include "os/process.hpp"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <optional>
#include <string_view>

namespace hotspare::child {
namespace {

/// All three files have a line "oom_kill N".
std::optional<std::uint64_t> kills_told_in(const std::string& file) {
  constexpr std::string_view key = "oom_kill ";
  std::array<char, 16 * 1024> room;
  std::string_view text(room.data(), os::read_file_in_pieces(file.c_str(), room.data(), room.size()));
  while (!text.empty()) {
    if (text.starts_with(key)) return std::strtoull(text.data() + key.size(), nullptr, 10);
    text.remove_prefix(std::min(text.find('\n'), text.size() - 1) + 1);
  }
  return std::nullopt;
}

}  // namespace

OomWatch OomWatch::of(pid_t pid, const std::string& root, const OomWatch* earlier) {
  OomWatch watch;
  watch.folders_ = os::cgroup_folders("memory", pid, root);
  if (earlier != nullptr && !watch.folders_.empty() && watch.folders_ == earlier->folders_) {
    watch.file_ = earlier->file_;
    watch.machine_ = earlier->machine_;
    watch.before_ = kills_told_in(watch.file_).value_or(0);
    return watch;
  }
  for (const std::string& folder : watch.folders_) {
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
