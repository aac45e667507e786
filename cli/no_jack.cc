// In place of what needs JACK, in a build without it.

#include "audio.hpp"
#include "exit_status.hpp"

namespace hotspare::cli {

void run_audio(const AudioOptions&) {
  throw NotBuilt(
      "this build has no \"audio\": JACK, lilv or libsndfile was not there when it was configured. Install "
      "libjack-jackd2-dev, liblilv-dev, lv2-dev and libsndfile1-dev, then configure and build again");
}

}  // namespace hotspare::cli
