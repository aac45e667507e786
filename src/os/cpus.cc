#include "os/cpus.hpp"

#include "os/cgroup.hpp"

#include <hotspare/options.hpp>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <sched.h>
#include <string>

namespace hotspare::os {
namespace {

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

}  // namespace

double cpu_quota() { return tightest_of_cgroups("cpu", quota_v1, quota_v2); }

unsigned usable_cpus() {
  cpu_set_t set;
  CPU_ZERO(&set);
  const int count = ::sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;
  const double quota = std::ceil(cpu_quota());
  return static_cast<unsigned>(std::max(1.0, std::min(quota, static_cast<double>(count))));
}

}  // namespace hotspare::os

namespace hotspare {
unsigned usable_cpus() { return os::usable_cpus(); }
}  // namespace hotspare
