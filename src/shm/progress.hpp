#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdint>
#include <cstring>
#include <optional>

namespace hotspare::shm {

inline constexpr std::size_t note_bytes = 120;

/// What a running task tells of how far it is: the time alone, or all of it.
struct Told {
  std::uint64_t done = 0;
  std::uint64_t total = 0;
  std::array<char, note_bytes> note{};  ///< Cut, zero-terminated.
};

/// Worker → host, overwritten by each report. One writer at a time; whoever reads sees a whole report or none. A worker
/// may die in the middle of writing: then nothing can be read any more, and nobody waits for it.
class Progress {
 public:
  void tell(std::uint64_t ticket, std::int64_t now_ns, const Told& told) noexcept {
    const std::uint32_t version = version_.load(std::memory_order_relaxed);
    version_.store(version + 1, std::memory_order_relaxed);
    std::atomic_thread_fence(std::memory_order_release);
    Words words{};
    std::memcpy(words.data(), &told, sizeof told);
    for (std::size_t i = 0; i < words.size(); ++i) words_[i].store(words[i], std::memory_order_relaxed);
    ticket_.store(ticket, std::memory_order_relaxed);
    at_.store(now_ns, std::memory_order_relaxed);
    version_.store(version + 2, std::memory_order_release);
  }
  /// When this task last told something, ns; 0: it never did.
  std::int64_t at_of(std::uint64_t ticket) const noexcept {
    return ticket_.load(std::memory_order_relaxed) == ticket ? at_.load(std::memory_order_relaxed) : 0;
  }
  std::optional<Told> told_by(std::uint64_t ticket) const noexcept {
    constexpr int attempts = 100;  // a writer that is killed or never ends must not hold up the reader
    for (int i = 0; i < attempts; ++i) {
      const std::uint32_t version = version_.load(std::memory_order_acquire);
      if (version % 2 != 0) continue;
      Words words{};
      for (std::size_t w = 0; w < words.size(); ++w) words[w] = words_[w].load(std::memory_order_relaxed);
      const std::uint64_t whose = ticket_.load(std::memory_order_relaxed);
      std::atomic_thread_fence(std::memory_order_acquire);
      if (version_.load(std::memory_order_relaxed) != version) continue;
      if (whose != ticket) return std::nullopt;
      Told told;
      std::memcpy(static_cast<void*>(&told), words.data(), sizeof told);
      told.note.back() = '\0';  // the writer may be hostile
      return told;
    }
    return std::nullopt;
  }

 private:
  using Words = std::array<std::uint64_t, sizeof(Told) / sizeof(std::uint64_t)>;
  static_assert(sizeof(Told) % sizeof(std::uint64_t) == 0);
  std::atomic<std::uint32_t> version_{0};  ///< Odd: being written.
  std::atomic<std::uint64_t> ticket_{0};
  std::atomic<std::int64_t> at_{0};
  std::array<std::atomic<std::uint64_t>, sizeof(Told) / sizeof(std::uint64_t)> words_{};
};

}  // namespace hotspare::shm
