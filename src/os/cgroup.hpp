#pragma once

#include <functional>
#include <string>
#include <sys/types.h>
#include <vector>

namespace hotspare::os {

/// The tightest value that this process's cgroup and all above it have for a controller, by the folders of v1 or v2.
/// v1, v2: read the value of one folder; infinite: none. root: of the file system; "" but in tests.
double tightest_of_cgroups(const std::string& controller, const std::function<double(const std::string&)>& v1,
                           const std::function<double(const std::string&)>& v2, const std::string& root = "");

/// Folders in which a process's own group may be found for a controller, the likeliest first: that of its v1 hierarchy, or
/// of v2.
std::vector<std::string> cgroup_folders(const std::string& controller, pid_t pid, const std::string& root = "");

}  // namespace hotspare::os
