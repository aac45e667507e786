#pragma once

/// What a sanitizer changes about deaths. To be included by one source of a test binary.

namespace hotspare::testing {

/// Built with a sanitizer that has its own allocator: heap corruption and memory limits then end in its report.
constexpr bool sanitized() {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  return true;
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
  return true;
#else
  return false;
#endif
#else
  return false;
#endif
}

}  // namespace hotspare::testing

/// Workers die here as a program without sanitizer would: its handlers would turn every cause into exit code 1. In the
/// program and not in the environment, so that it holds however the test is started. Leaks: a worker that calls exit()
/// would be judged by what it had not freed yet.
// NOLINTNEXTLINE(misc-definitions-in-headers): one source of a binary includes it
extern "C" __attribute__((used, visibility("default"))) const char* __asan_default_options() {
  return "handle_segv=0:handle_sigbus=0:handle_abort=0:handle_sigfpe=0:handle_sigill=0:use_sigaltstack=0:"
         "allocator_may_return_null=1:detect_leaks=0";
}
