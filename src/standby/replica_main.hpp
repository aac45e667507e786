#pragma once

#include "os/fd.hpp"
#include "zygote/protocol.hpp"

#include <cstdint>
#include <vector>

namespace hotspare::standby {

/// What a replica is told when it begins: by its zygote, or, if it is the heir of another replica, by the host.
struct ReplicaStart {
  zygote::Setup setup;
  std::uint64_t id = 0;
  std::uint32_t lane = 0;
  std::uint64_t ticket = 0;  ///< Of an heir: the order that this belongs to.
};

/// A replica's whole life, in a process just forked from the zygote. fds: in the order of zygote::ReplicaFd.
[[noreturn]] void run_replica(const ReplicaStart& start, std::vector<os::Fd> fds);

}  // namespace hotspare::standby
