#include "groups.hpp"

#include <stdexcept>

namespace bench {

void jack(Run&) {
  throw std::runtime_error(
      "built without JACK or lilv (Debian: libjack-jackd2-dev liblilv-dev lv2-dev libsndfile1-dev)");
}
void jack_64(Run& run) { jack(run); }
void jack_loaded(Run& run) { jack(run); }
void jack_hour(Run& run) { jack(run); }

}  // namespace bench
