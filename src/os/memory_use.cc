#include "os/memory_use.hpp"

#include "os/cgroup.hpp"
#include "os/memory.hpp"

#include <cmath>
#include <cstdio>
#include <fstream>

namespace hotspare::os {
namespace {

double number_in(const std::string& path) {
  double value = 0;
  return std::ifstream(path) >> value ? value : NAN;  // "max" of v2 is none
}

double field_in(const std::string& path, const std::string& wanted) {
  std::ifstream file(path);
  std::string key;
  double value = 0;
  for (std::string line; std::getline(file, line);)
    if (char name[64]; std::sscanf(line.c_str(), "%63[^: ]%*[: ]%lf", name, &value) == 2 && wanted == name)
      return value;
  return NAN;
}

/// What a group may still take: its limit less what it uses, without the file pages that the kernel gives up first.
double left(const std::string& limit, const std::string& usage, const std::string& stat, const char* reclaimable) {
  const double most = number_in(limit);
  const double used = number_in(usage);
  if (std::isnan(most) || std::isnan(used)) return INFINITY;
  const double given_up = field_in(stat, reclaimable);
  return std::max(0.0, most - used + (std::isnan(given_up) ? 0 : given_up));
}
double left_v2(const std::string& folder) {
  return left(folder + "/memory.max", folder + "/memory.current", folder + "/memory.stat", "inactive_file");
}
double left_v1(const std::string& folder) {
  return left(folder + "/memory.limit_in_bytes", folder + "/memory.usage_in_bytes", folder + "/memory.stat",
              "total_inactive_file");
}

}  // namespace

std::uint64_t private_resident(pid_t pid) noexcept {
  char path[32] = "/proc/self/statm";
  if (pid != 0) std::snprintf(path, sizeof path, "/proc/%d/statm", pid);
  std::FILE* const file = std::fopen(path, "re");
  if (file == nullptr) return 0;
  unsigned long long resident = 0;
  unsigned long long shared = 0;
  const bool read = std::fscanf(file, "%*u %llu %llu", &resident, &shared) == 2;
  std::fclose(file);
  return read && resident > shared ? (resident - shared) * page_size() : 0;
}

Resident resident(pid_t pid) noexcept {
  char path[32];
  std::snprintf(path, sizeof path, "/proc/%d/status", pid);
  Resident all;
  std::FILE* const file = std::fopen(path, "re");
  if (file == nullptr) return all;
  char line[256];
  unsigned long long kilobytes = 0;
  while (std::fgets(line, sizeof line, file) != nullptr) {
    if (std::sscanf(line, "RssAnon: %llu", &kilobytes) == 1) all.anonymous = kilobytes * 1024;
    if (std::sscanf(line, "RssFile: %llu", &kilobytes) == 1) all.file = kilobytes * 1024;
    if (std::sscanf(line, "RssShmem: %llu", &kilobytes) != 1) continue;
    all.shared = kilobytes * 1024;
    break;
  }
  std::fclose(file);
  return all;
}

std::uint64_t usable_memory(const std::string& root) {
  const auto limit_in = [](const char* file) {
    return [file](const std::string& folder) {
      const double limit = number_in(folder + file);
      return std::isnan(limit) ? INFINITY : limit;
    };
  };
  const double machine = field_in(root + "/proc/meminfo", "MemTotal") * 1024;
  const double group = tightest_of_cgroups("memory", limit_in("/memory.limit_in_bytes"), limit_in("/memory.max"), root);
  const double most = std::isnan(machine) ? static_cast<double>(physical_memory()) : machine;
  return static_cast<std::uint64_t>(std::min(most, group));
}

std::uint64_t available_memory(const std::string& root) {
  const double machine = field_in(root + "/proc/meminfo", "MemAvailable") * 1024;
  const double group = tightest_of_cgroups("memory", left_v1, left_v2, root);
  const double least = std::isnan(machine) ? group : std::min(machine, group);
  return std::isinf(least) ? UINT64_MAX : static_cast<std::uint64_t>(least);
}

bool group_is_ended_whole(const std::string& root) {
  const auto nobody = [](const std::string& /*folder*/) { return INFINITY; };  // v1 has no such setting
  const auto whole = [](const std::string& folder) {
    return number_in(folder + "/memory.oom.group") == 1 ? 0 : INFINITY;
  };
  return tightest_of_cgroups("memory", nobody, whole, root) == 0;
}

}  // namespace hotspare::os
