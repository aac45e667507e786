#include "life.hpp"
#include "support/refuse_calls.hpp"
#include "support/sanitizer.hpp"

#include <algorithm>
#include <string>
#include <string_view>

/// refused_calls pool|standby fork|exec ENOSYS|EPERM CALL[,CALL…] SAYS: with these system calls refused tasks, deaths, a
/// deadline and idling are as they always are, and what is lost is told once: an event that says SAYS ("-": none at all).
namespace hotspare::testing {
namespace {

int run(int argc, char** argv) {
  if (argc != 6) return 2;
  Refusal refusal;
  if (std::string_view(argv[3]) == "EPERM") refusal.error = EPERM;
  const std::string calls = argv[4];
  for (std::size_t at = 0; at <= calls.size();) {
    const std::size_t end = std::min(calls.find(',', at), calls.size());
    if (!add_call(refusal, std::string_view(calls).substr(at, end - at))) return 2;
    at = end + 1;
  }
  refuse_calls(refusal);
  Life life;
  life.start = std::string_view(argv[2]) == "exec" ? Start::exec : Start::fork;
  life.says = argv[5];
  if (std::string_view(argv[1]) == "pool") {
    pool_lives(life);
  } else {
    channel_lives(life);
  }
  return failures() == 0 ? 0 : 1;
}

}  // namespace
}  // namespace hotspare::testing

int main(int argc, char** argv) {
  hotspare::init(argc, argv);
  return hotspare::testing::run(argc, argv);
}
