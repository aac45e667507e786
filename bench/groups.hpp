#pragma once

#include "report.hpp"

namespace bench {

/// What a group of rows is given to work with.
struct Run {
  Report& report;
  bool quick = false;
  /// How many rounds: the first in a full run, the second in a quick one.
  int rounds(int full, int few) const { return quick ? few : full; }
};

void throughput(Run& run);
void round_trip(Run& run);
void payload_sizes(Run& run);
void payload_100mb(Run& run);
void takeover_1mb(Run& run);
void takeover_100mb(Run& run);
void takeover_1gb(Run& run);
void storm(Run& run);
void refill(Run& run);
void host_death(Run& run);
void memory(Run& run);
void workers(Run& run);
void queue(Run& run);
void deadlines(Run& run);
void hangs(Run& run);
void memory_limit(Run& run);
void journal(Run& run);
void tags(Run& run);
void standby(Run& run);
/// By itself, as those below: replicas are forks of this process, and what it took before would be theirs to fork again.
void standby_64(Run& run);
/// 10 minutes of blocks of 128 frames through a JACK server of its own,
void jack(Run& run);
/// of 64 frames,
void jack_64(Run& run);
/// and one minute with both cores loaded.
void jack_loaded(Run& run);
/// One hour, with a line a minute.
void jack_hour(Run& run);

}  // namespace bench
