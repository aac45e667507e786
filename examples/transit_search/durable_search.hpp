#pragma once

#include "search.hpp"

#include <memory>
#include <string>

namespace transit {

/// Searches stars through the pool as search_star does, but keeps each finished band in a journal: a program that is killed
/// goes on where it was. A band is known by its star's points, the period grid and its trials, not by its place; how it is
/// sabotaged plays no part. Bands whose worker died are tried again by the pool, and lost ones by the next run.
class DurableSearch {
 public:
  /// log: file that gets a line for each band that begins ("begun FIRST LAST", by its worker) and each that is given here
  /// ("given FIRST LAST", "kept FIRST LAST"); empty: none. Throws hotspare::JournalError.
  DurableSearch(hotspare::Pool& pool, const std::string& journal, std::string log, const Ledger& ledger,
                const SearchOptions& options);
  ~DurableSearch();
  DurableSearch(const DurableSearch&) = delete;
  DurableSearch& operator=(const DurableSearch&) = delete;

  /// Throws hotspare::JournalError.
  SearchResult search(const LightCurve& curve, const PeriodGrid& grid);
  hotspare::BatchCounts counts() const;
  /// Throws hotspare::JournalError. The journal is one file from then on.
  void close();

 private:
  class Failures;
  struct Run;
  void read(Run& run, const LightCurve& curve);
  std::string log_;
  const Ledger& ledger_;
  SearchOptions options_;
  std::shared_ptr<Failures> failures_;
  hotspare::Batch batch_;
};

}  // namespace transit
