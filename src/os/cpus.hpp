#pragma once

namespace hotspare::os {

/// The cgroup's CPU quota (v1 or v2), CPUs; infinite: none.
double cpu_quota();
/// CPUs of the affinity mask, cut by the cgroup's CPU quota (v1 or v2, rounded up), at least 1.
unsigned usable_cpus();

}  // namespace hotspare::os
