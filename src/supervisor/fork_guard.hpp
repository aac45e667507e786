#pragma once

namespace hotspare::supervisor {

/// Closes this descriptor in every child that the host forks from now on. A child that kept the host's end of a
/// lifeline would keep the workers alive after the host's death.
void close_in_forks(int fd);
/// It is about to be closed here: its number may soon be another's. False: this is such a child, and it is closed already.
bool forget_in_forks(int fd);

}  // namespace hotspare::supervisor
