#include "trial.hpp"

#include "lv2_chain.hpp"
#include "trial_player.hpp"

#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>

namespace hotspare::audio {

namespace {

void tell(const char* stage) { std::fprintf(stderr, "stage: %s\n", stage); }

std::uint32_t count_threads() {
  const std::filesystem::directory_iterator tasks("/proc/self/task");
  return static_cast<std::uint32_t>(std::distance(begin(tasks), end(tasks)));
}

std::int64_t resident_bytes() {
  std::int64_t total = 0;
  std::int64_t resident = 0;
  std::ifstream("/proc/self/statm") >> total >> resident;
  return resident * sysconf(_SC_PAGESIZE);
}

}  // namespace

TrialResult try_plugin(const Trial& trial) {
  TrialResult result;
  const Stage stage = set_stage(trial);
  result.refused = stage.refused;
  if (!result.refused.empty()) return result;
  TrialPlayer player(stage, trial.seconds);
  const std::uint32_t threads = count_threads();
  const std::int64_t resident = resident_bytes();
  tell("it is made");
  Lv2Chain chain(stage.spec);
  tell("it runs");
  player.play([&](auto in, auto out) { chain.process(in, out); }, result);
  player.put_times(result);
  result.threads = std::max(count_threads(), threads) - threads;
  result.resident_bytes = resident_bytes() - resident;
  tell("a second one is made, and runs");
  TrialResult again;
  {
    Lv2Chain second(stage.spec);
    player.play([&](auto in, auto out) { second.process(in, out); }, again);
  }
  result.same_again = again.sound == result.sound;
  tell("it is unmade");
  return result;
}

}  // namespace hotspare::audio
