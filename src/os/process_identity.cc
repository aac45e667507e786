#include "os/process_identity.hpp"

#include "os/process.hpp"
#include "os/shared_file.hpp"

#include <cctype>
#include <charconv>
#include <fstream>
#include <sys/stat.h>

namespace hotspare::os {
namespace {

std::string line_of(pid_t pid, const char* file) {
  std::ifstream open("/proc/" + std::to_string(pid) + "/" + file);
  std::string line;
  std::getline(open, line);
  return line;
}

std::uint64_t own_pid_namespace() {
  struct stat about {};
  return ::stat("/proc/self/ns/pid", &about) == 0 ? about.st_ino : 0;
}

/// The state letter, field 3; '\0': no such process.
char state_in(std::string_view stat) {
  const std::size_t name_end = stat.rfind(')');
  return name_end != std::string_view::npos && name_end + 2 < stat.size() ? stat[name_end + 2] : '\0';
}

}  // namespace

std::uint64_t start_time_in(std::string_view stat) {
  // Field 2 is the name in parentheses, which may hold spaces and parentheses: counted from its end.
  std::size_t at = stat.rfind(')');
  for (int field = 2; field < 22; ++field) {
    if (at == std::string_view::npos) return 0;
    at = stat.find(' ', at + 1);
  }
  if (at == std::string_view::npos) return 0;
  std::uint64_t ticks = 0;
  std::from_chars(stat.data() + at + 1, stat.data() + stat.size(), ticks);
  return ticks;
}

std::uint64_t start_time_of(pid_t pid) { return start_time_in(line_of(pid, "stat")); }

ProcessIdentity own_identity() { return {own_pid(), start_time_of(own_pid()), own_pid_namespace()}; }

Life life_of(const ProcessIdentity& process) {
  if (process.pid_namespace != own_pid_namespace()) return Life::unknown;
  const std::string stat = line_of(process.pid, "stat");
  const char state = state_in(stat);
  const bool there = start_time_in(stat) == process.started && process.started != 0;
  return there && state != 'Z' && state != 'X' ? Life::lives : Life::ended;
}

std::string command_of(pid_t pid) { return line_of(pid, "comm"); }

std::vector<pid_t> all_processes() {
  std::vector<pid_t> pids;
  Result<std::vector<std::string>> names = names_in("/proc");
  if (!names) return pids;
  for (const std::string& name : *names) {
    pid_t pid = 0;
    const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), pid);
    if (error == std::errc() && end == name.data() + name.size()) pids.push_back(pid);
  }
  return pids;
}

}  // namespace hotspare::os
