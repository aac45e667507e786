#pragma once

#include "os/fd.hpp"

namespace hotspare::zygote {

/// The zygote: a process with one thread from which workers are forked, so that the host, with all its threads and
/// locks, never forks. It reaps its workers, and adopts and ends what they leave behind. Ends when the host does.
/// Never returns.
[[noreturn]] void zygote_main(os::Fd control);

}  // namespace hotspare::zygote
