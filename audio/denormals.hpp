#pragma once

#if defined(__SSE__)
#include <xmmintrin.h>
#endif

#include <cstdint>

namespace hotspare::audio {

/// While it lives, this thread's numbers too small to be normal count as zero (FTZ and DAZ on x86, FZ on ARM): the tail of
/// a reverb would otherwise cost a hundred times as much as the sound before it. Elsewhere it does nothing.
class FlushDenormals {
 public:
  FlushDenormals() : before_(get()) { set(before_ | bits); }
  ~FlushDenormals() { set(before_); }
  FlushDenormals(const FlushDenormals&) = delete;
  FlushDenormals& operator=(const FlushDenormals&) = delete;

 private:
#if defined(__SSE__)
  static constexpr std::uint64_t bits =
      0x8040;  // MXCSR: flush to zero, denormals are zero (Intel SDM volume 1, 10.2.3)
  static std::uint64_t get() { return _mm_getcsr(); }
  static void set(std::uint64_t value) { _mm_setcsr(static_cast<unsigned>(value)); }
#elif defined(__aarch64__)
  static constexpr std::uint64_t bits = std::uint64_t{1} << 24;  // FPCR.FZ
  static std::uint64_t get() {
    std::uint64_t value = 0;
    asm volatile("mrs %0, fpcr" : "=r"(value));
    return value;
  }
  static void set(std::uint64_t value) { asm volatile("msr fpcr, %0" : : "r"(value)); }
#else
  static constexpr std::uint64_t bits = 0;
  static std::uint64_t get() { return 0; }
  static void set(std::uint64_t) {}
#endif
  std::uint64_t before_;
};

}  // namespace hotspare::audio
