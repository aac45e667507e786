#pragma once

#include <hotspare/hotspare.hpp>

#include <cstdlib>
#include <string_view>

namespace hotspare::testing {

/// The start method that this run is to test: HOTSPARE_TEST_START=exec, or fork.
inline Start start_method() {
  const char* wish = std::getenv("HOTSPARE_TEST_START");
  return wish != nullptr && std::string_view(wish) == "exec" ? Start::exec : Start::fork;
}

/// Two workers and one spare, quiet.
inline PoolOptions small_pool() {
  PoolOptions options;
  options.workers = 2;
  options.spares = 1;
  options.start = start_method();
  options.worker_stderr = Stderr::capture;
  return options;
}

/// The report of a task that is expected to cost its worker's life.
template <class R>
CrashReport death_of(const Future<R>& future) {
  const auto outcome = future.outcome();
  if (outcome.report() == nullptr) return {};
  return *outcome.report();
}

}  // namespace hotspare::testing
