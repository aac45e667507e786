#include "os/cgroup.hpp"

#include <algorithm>
#include <cmath>
#include <fstream>
#include <vector>

namespace hotspare::os {
namespace {

struct Hierarchy {
  std::string controllers;  ///< Empty: v2.
  std::string path;
};

std::vector<Hierarchy> cgroups_of(const std::string& process, const std::string& root) {
  std::vector<Hierarchy> all;
  std::ifstream file(root + "/proc/" + process + "/cgroup");
  for (std::string line; std::getline(file, line);) {
    const std::size_t first = line.find(':');
    const std::size_t second = line.find(':', first + 1);
    if (first == std::string::npos || second == std::string::npos) continue;
    all.push_back({line.substr(first + 1, second - first - 1), line.substr(second + 1)});
  }
  return all;
}

/// Of a group and all above it.
double tightest(const std::string& mount, std::string path, const std::function<double(const std::string&)>& value) {
  double result = INFINITY;
  for (;;) {
    result = std::min(result, value(mount + path));
    const std::size_t slash = path.rfind('/');
    if (slash == std::string::npos || path.empty()) return result;
    path.resize(slash);
  }
}

}  // namespace

double tightest_of_cgroups(const std::string& controller, const std::function<double(const std::string&)>& v1,
                           const std::function<double(const std::string&)>& v2, const std::string& root) {
  const std::string mount = root + "/sys/fs/cgroup";
  double result = INFINITY;
  for (const Hierarchy& group : cgroups_of("self", root)) {
    const std::string path = group.path == "/" ? "" : group.path;
    if (group.controllers.empty()) {
      result = std::min(result, tightest(mount, path, v2));
    } else if (("," + group.controllers + ",").find("," + controller + ",") != std::string::npos) {
      // In a container the group's own path may not be there: its folder is the mount itself.
      result = std::min({result, tightest(mount + "/" + group.controllers, path, v1), v1(mount + "/" + controller)});
    }
  }
  return result;
}

std::vector<std::string> cgroup_folders(const std::string& controller, pid_t pid, const std::string& root) {
  const std::string mount = root + "/sys/fs/cgroup";
  std::vector<std::string> folders;
  for (const Hierarchy& group : cgroups_of(std::to_string(pid), root)) {
    const std::string path = group.path == "/" ? "" : group.path;
    if (group.controllers.empty()) {
      folders.push_back(mount + path);
    } else if (("," + group.controllers + ",").find("," + controller + ",") != std::string::npos) {
      folders.insert(folders.begin(), {mount + "/" + controller + path, mount + "/" + group.controllers + path,
                                       mount + "/" + controller});
    }
  }
  return folders;
}

}  // namespace hotspare::os
