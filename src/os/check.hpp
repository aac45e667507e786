#pragma once

#include <cstdio>
#include <cstdlib>

namespace hotspare::os {

[[noreturn]] inline void check_failed(const char* condition, const char* file, int line) {
  std::fprintf(stderr, "hotspare: broken invariant: %s (%s:%d). Please report this.\n", condition, file, line);
  std::abort();
}

}  // namespace hotspare::os

/// A broken invariant ends the program, in release builds too: going on would cost more than the process.
#define HS_CHECK(condition) \
  ((condition) ? static_cast<void>(0) : ::hotspare::os::check_failed(#condition, __FILE__, __LINE__))
