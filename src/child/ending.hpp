#pragma once

#include "child/process.hpp"

namespace hotspare::child {

class Nursery;

/// Sends a signal to a child, or has its parent send it where the kernel refuses that to the host: after the program has
/// given up its privileges, under a filter, or where there are no pidfds.
void signal(const Process& process, Nursery& nursery, int signal);
/// The same to its whole group.
void signal_group(const Process& process, Nursery& nursery, int signal);
/// Ends it: SIGKILL. Where that is refused, its lifeline is closed, by which the kernel ends it and its group whoever may
/// signal whom; and its parent is asked, for it may have closed its end of that.
void end(Process& process, Nursery& nursery);

}  // namespace hotspare::child
