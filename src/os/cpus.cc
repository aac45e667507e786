#include "os/cpus.hpp"

#include <hotspare/options.hpp>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <sched.h>
#include <sstream>
#include <string>
#include <vector>

namespace hotspare::os {
namespace {

struct Hierarchy {
  std::string controllers;  ///< Empty: v2.
  std::string path;
};

std::vector<Hierarchy> own_cgroups() {
  std::vector<Hierarchy> all;
  std::ifstream file("/proc/self/cgroup");
  for (std::string line; std::getline(file, line);) {
    const std::size_t first = line.find(':');
    const std::size_t second = line.find(':', first + 1);
    if (first == std::string::npos || second == std::string::npos) continue;
    all.push_back({line.substr(first + 1, second - first - 1), line.substr(second + 1)});
  }
  return all;
}

double quota_v2(const std::string& folder) {
  std::ifstream file(folder + "/cpu.max");
  std::string quota;
  double period = 0;
  if (!(file >> quota >> period) || quota == "max" || period <= 0) return INFINITY;
  return std::strtod(quota.c_str(), nullptr) / period;
}

double quota_v1(const std::string& folder) {
  double quota = -1;
  double period = 0;
  std::ifstream(folder + "/cpu.cfs_quota_us") >> quota;
  std::ifstream(folder + "/cpu.cfs_period_us") >> period;
  return quota > 0 && period > 0 ? quota / period : INFINITY;
}

/// The tightest quota of a group and all above it.
template <class Quota>
double tightest(const std::string& mount, std::string path, Quota quota) {
  double result = INFINITY;
  for (;;) {
    result = std::min(result, quota(mount + path));
    const std::size_t slash = path.rfind('/');
    if (slash == std::string::npos || path.empty()) return result;
    path.resize(slash);
  }
}

double cgroup_quota() {
  double result = INFINITY;
  for (const Hierarchy& group : own_cgroups()) {
    const std::string path = group.path == "/" ? "" : group.path;
    if (group.controllers.empty()) result = std::min(result, tightest("/sys/fs/cgroup", path, quota_v2));
    if (("," + group.controllers + ",").find(",cpu,") != std::string::npos)
      result = std::min(result, tightest("/sys/fs/cgroup/" + group.controllers, path, quota_v1));
  }
  return result;
}

}  // namespace

unsigned usable_cpus() {
  cpu_set_t set;
  CPU_ZERO(&set);
  const int count = ::sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;
  const double quota = std::ceil(cgroup_quota());
  return static_cast<unsigned>(std::max(1.0, std::min(quota, static_cast<double>(count))));
}

}  // namespace hotspare::os

namespace hotspare {
unsigned usable_cpus() { return os::usable_cpus(); }
}  // namespace hotspare
