#include "worker/raised.hpp"

#include <hotspare/export.hpp>

#include <array>
#include <cstdlib>
#include <dlfcn.h>
#include <execinfo.h>
#include <typeinfo>

/// When an exception is caught its stack is gone, so the stack is noted where it is thrown: by standing in front of the
/// C++ runtime's __cxa_throw. Only in workers and only while a task runs; elsewhere it costs one load (docs/decisions).
namespace hotspare::detail {
namespace {

thread_local bool watching = false;
thread_local std::array<void*, 48> frames;
thread_local int frame_count = 0;

}  // namespace

std::span<void* const> last_throw() noexcept { return {frames.data(), static_cast<std::size_t>(frame_count)}; }

void watch_throws(bool on) noexcept {
  watching = on;
  frame_count = 0;
}

namespace {

void note_throw() noexcept {
  if (watching) frame_count = ::backtrace(frames.data(), static_cast<int>(frames.size()));
}

}  // namespace
}  // namespace hotspare::detail

extern "C" {

[[noreturn]] HOTSPARE_API void __cxa_throw(void* thrown, std::type_info* type, void (*destructor)(void*)) {
  using Throw = void (*)(void*, std::type_info*, void (*)(void*));
  static const auto next = reinterpret_cast<Throw>(::dlsym(RTLD_NEXT, "__cxa_throw"));
  hotspare::detail::note_throw();
  next(thrown, type, destructor);
  std::abort();  // not reached
}
}
