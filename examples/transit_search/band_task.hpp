#pragma once

#include "bls.hpp"
#include "saboteur.hpp"

#include <hotspare/options.hpp>

#include <chrono>
#include <optional>
#include <vector>

/// What one task of the pool does, and what holds for it: with and without a journal.
namespace transit {

struct SearchOptions {
  unsigned workers = 1;
  std::uint64_t bands = 96;  ///< Tasks a star's trials are cut into.
  std::uint64_t kills = 0;   ///< Tasks of these whose worker is killed at its first try.
  std::uint64_t seed = 1;
  std::optional<hotspare::chaos::Chaos> chaos;  ///< Chooses in place of the two above.
  std::chrono::nanoseconds timeout{0};          ///< For one try; 0: as is best.

  std::vector<Way> ways_to_die(std::size_t tasks) const {
    return chaos ? plan(tasks, *chaos) : plan(tasks, kills, seed);
  }
  std::uint32_t struck_attempts() const { return chaos ? chaos->attempts : 1; }
  std::uint64_t leaked_bytes() const { return chaos ? chaos->bytes : 0; }
};

/// Tries of one band, after which it counts as lost.
inline constexpr unsigned most_tries = 4;
/// Far above what a band takes: a band that hangs for another reason than sabotage ends, too.
inline constexpr std::chrono::nanoseconds band_timeout = std::chrono::seconds(300);
inline constexpr std::size_t band_memory = std::size_t{1} << 30;

/// Searches a band in a worker. A sabotaged one is struck half way through its work.
BandResult search_sabotaged(std::span<const double> time, std::span<const double> flux, const PeriodGrid& grid,
                            Band band, const Sabotage& sabotage);

/// Ends by a deadline only.
inline bool never_ends(Way way) { return way == Way::hang || way == Way::stop; }

/// Whether a report is what this way of dying must get.
bool verdict_fits(Way way, const hotspare::CrashReport& report);

}  // namespace transit
