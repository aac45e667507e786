#pragma once

#include "band_task.hpp"
#include "bls.hpp"
#include "light_curve.hpp"
#include "saboteur.hpp"

#include <hotspare/hotspare.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace transit {

/// What the pool made of one star.
struct SearchResult {
  BandResult merged;  ///< All bands, in order; a band that was lost is left out.
  std::vector<Band> bands;
  std::vector<BandResult> parts;       ///< One per band; empty if it was lost.
  std::uint64_t lost = 0;              ///< Bands that never gave a result.
  std::optional<std::uint64_t> kept;   ///< Bands that came out of the journal, if there is one.
  Counts ordered{};                    ///< Deaths planned, by way,
  Counts done{};                       ///< by the saboteur's own count,
  Counts verdicts{};                   ///< and by the pool's: WorkerDied with the right cause.
  std::vector<std::string> surprises;  ///< Deaths and errors that were not planned, or got another verdict.

  /// Every death the saboteur brought about was reported for what it was, and no other happened.
  bool counts_agree() const { return ordered == done && done == verdicts && surprises.empty(); }
};

/// Searches one star through the pool: a task for each band. A band whose worker died is submitted again: the pool by itself
/// never runs a task a second time.
SearchResult search_star(hotspare::Pool& pool, const LightCurve& curve, const PeriodGrid& grid, const Ledger& ledger,
                         const SearchOptions& options);

}  // namespace transit
