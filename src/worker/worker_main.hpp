#pragma once

#include "os/fd.hpp"
#include "zygote/protocol.hpp"

#include <cstdint>
#include <vector>

namespace hotspare::worker {

struct WorkerStart {
  zygote::Setup setup;
  std::uint64_t id = 0;
  std::vector<os::Fd> fds;  ///< In the order of zygote::WorkerFd.
};

/// A worker's whole life, in a process just forked from the zygote.
[[noreturn]] void run_worker(WorkerStart start);

}  // namespace hotspare::worker
