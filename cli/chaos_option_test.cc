#include "chaos_option.hpp"

#include "exit_status.hpp"

#include <gtest/gtest.h>

namespace hotspare::cli {
namespace {

using chaos::How;
using namespace std::chrono_literals;

struct Good {
  const char* text;
  ChaosOption means;
};

TEST(ChaosOption, Table) {
  const chaos::Hows all{How::sigkill, How::sigsegv, How::abort,          How::exit,
                        How::hang,    How::stop,    How::stack_overflow, How::memory};
  const Good table[] = {
      {"kill-every=50ms", {50ms, How::sigkill, 0}},
      {"kill-every=1.5s,seed=7", {1500ms, How::sigkill, 7}},
      {"seed=7;kill-every=2min", {2min, How::sigkill, 7}},
      {"kill-every=200us,ways=hang", {200us, How::hang, 0}},
      {"kill-every=1s,ways=sigkill,segv,stack;seed=3", {1s, {How::sigkill, How::sigsegv, How::stack_overflow}, 3}},
      {"ways=abort,exit,kill-every=1s", {1s, {How::abort, How::exit}, 0}},
      {"ways=stop+memory+hang,kill-every=1h", {1h, {How::stop, How::memory, How::hang}, 0}},
      {"ways=sigsegv+stack_overflow,kill-every=1s", {1s, {How::sigsegv, How::stack_overflow}, 0}},
      {"ways=all,kill-every=1s", {1s, all, 0}},
      {"kill-every=1s,ways=sigkill,segv,abort,exit,hang,stop,stack,memory", {1s, all, 0}},
      {"kill-every=1s,seed=18446744073709551615", {1s, How::sigkill, ~std::uint64_t{0}}},
  };
  for (const Good& row : table) EXPECT_EQ(parse_chaos(row.text), row.means) << row.text;
}

TEST(ChaosOption, RefusesNonsenseInWords) {
  const std::pair<const char*, const char*> table[] = {
      {"", "has no \"=\""},
      {"seed=1", "kill-every is missing"},
      {"ways=hang", "kill-every is missing"},
      {"kill-every=", "kill-every expects a time"},
      {"kill-every=50", "its unit"},
      {"kill-every=0ms", "above 0"},
      {"kill-every=-1ms", "above 0"},
      {"kill-every=nans", "above 0"},
      {"kill-every=1e30s", "expects a time"},
      {"kill-every=50ms,", "has no \"=\""},
      {"kill-every=50ms,hang", "has no \"=\""},
      {"kill-every=50ms,kill-every=60ms", "given twice"},
      {"kill-every=50ms,ways=", "is no way"},
      {"kill-every=50ms,ways=leak", "\"leak\" is no way"},
      {"kill-every=50ms,ways=raise", "sigkill, sigsegv"},
      {"kill-every=50ms,ways=hang+", "\"\" is no way"},
      {"kill-every=50ms,rate=1", "no field is called \"rate\""},
      {"kill-every=50ms,seed=x", "whole number"},
      {"kill-every=50ms,seed=-1", "whole number"},
      {"kill-every=50ms,seed=18446744073709551616", "whole number"},
  };
  for (const auto& [text, says] : table) {
    try {
      parse_chaos(text);
      ADD_FAILURE() << text << " was taken";
    } catch (const UsageError& error) {
      EXPECT_NE(std::string(error.what()).find(says), std::string::npos) << text << ": " << error.what();
    }
  }
}

}  // namespace
}  // namespace hotspare::cli
