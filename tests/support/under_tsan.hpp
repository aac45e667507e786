#pragma once

namespace hotspare::testing {

/// ThreadSanitizer delays signals until a moment that suits it, has terabytes mapped, and stands in the way of vfork and
/// abort. It is for the host's threads; what a test says about a worker's own death may not hold under it.
constexpr bool under_tsan() {
#if defined(__SANITIZE_THREAD__)
  return true;
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
  return true;
#else
  return false;
#endif
#else
  return false;
#endif
}

}  // namespace hotspare::testing
