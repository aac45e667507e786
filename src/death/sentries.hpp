#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>

namespace hotspare::death {

/// Where one thread cannot sleep on many words (futex_waitv is refused): threads that sleep on one robust word each.
/// Threads: one at a time calls start, watch and end.
class Sentries {
 public:
  static constexpr std::size_t most = 32;
  enum class Until : unsigned char {
    death,  ///< Then the sentry is free for another word.
    end,    ///< The word will be another process's some day.
  };

  /// begin: first thing on each thread. heard: on a sentry's thread, whenever its word says that the owner has died.
  Sentries(std::function<void()> begin, std::function<void()> heard)
      : begin_(std::move(begin)), heard_(std::move(heard)) {}
  ~Sentries() { end(); }
  Sentries(const Sentries&) = delete;
  Sentries& operator=(const Sentries&) = delete;

  /// Until there are so many threads, or as many as there are to be had.
  void start(std::size_t threads);
  /// keeps: what holds the word's memory; null: it outlives this. False: every sentry has one already.
  bool watch(std::atomic<std::uint32_t>& word, std::shared_ptr<const void> keeps, Until until = Until::death);
  /// Nobody is left who could die, as far as anybody wants to know.
  void end();

  /// For a word whose owner is gone, and may have left it unmarked: whoever watches it stops.
  static void mark(std::atomic<std::uint32_t>& word) noexcept;

 private:
  struct Sentry {
    std::atomic<std::uint32_t> call{0};  ///< Sleeps on it while it has no word.
    std::atomic<std::atomic<std::uint32_t>*> word{nullptr};
    std::shared_ptr<const void> keeps;
    Until until = Until::death;
    std::thread thread;
  };
  void stand(Sentry& sentry);
  void watch_one(const Sentry& sentry, std::atomic<std::uint32_t>& word) const;

  std::function<void()> begin_;
  std::function<void()> heard_;
  std::atomic<bool> ends_{false};
  std::mutex mutex_;  ///< What a sentry keeps is let go of under it.
  std::size_t count_ = 0;
  std::array<Sentry, most> sentries_;
};

}  // namespace hotspare::death
