#include "search.hpp"

#include "progress.hpp"

#include <chrono>
#include <deque>
#include <span>

namespace transit {

namespace {

using namespace std::chrono_literals;

/// A sabotaged band need not finish: it is to hang, or to be full, soon.
constexpr auto hang_timeout = 500ms;
constexpr std::size_t memory_to_fill = std::size_t{128} << 20;

BandResult band_task(std::span<const double> time, std::span<const double> flux, PeriodGrid grid, Band band,
                     Sabotage sabotage) {
  return search_sabotaged(time, flux, grid, band, sabotage);
}

hotspare::TaskOptions task_options(const Band& band, Way way, std::chrono::nanoseconds timeout) {
  if (timeout.count() == 0) timeout = never_ends(way) ? std::chrono::nanoseconds(hang_timeout) : band_timeout;
  return {.timeout = timeout,
          .memory_limit = way == Way::memory ? memory_to_fill : band_memory,
          .name = "band [" + std::to_string(band.first) + ", " + std::to_string(band.last) + ")"};
}

/// One star's search under way.
class Search {
 public:
  Search(hotspare::Pool& pool, const LightCurve& curve, const PeriodGrid& grid, const Ledger& ledger,
         const SearchOptions& options)
      : pool_(pool), curve_(curve), grid_(grid), ledger_(ledger), options_(options) {}

  SearchResult run();

 private:
  struct Try {
    std::size_t band = 0;
    unsigned number = 1;
    Way way = Way::none;
    hotspare::Future<BandResult> future;
  };
  void submit(std::size_t band, unsigned number);
  Way way_of(std::size_t band, unsigned number) const;
  void collect(const Try& attempt);
  void judge(const Try& attempt, const hotspare::WorkerDied& death);

  hotspare::Pool& pool_;
  const LightCurve& curve_;
  const PeriodGrid& grid_;
  const Ledger& ledger_;
  const SearchOptions& options_;
  SearchResult result_;
  std::vector<Way> ways_to_die_;
  std::deque<Try> pending_;
  std::uint64_t finished_ = 0;
  std::uint64_t deaths_ = 0;
};

Way Search::way_of(std::size_t band, unsigned number) const {
  const std::uint32_t struck = options_.struck_attempts();
  return struck == 0 || number <= struck ? ways_to_die_[band] : Way::none;
}

void Search::submit(std::size_t band, unsigned number) {
  const Band& trials = result_.bands[band];
  const Way way = way_of(band, number);
  if (way != Way::none) ++result_.ordered[static_cast<std::size_t>(way)];
  pending_.push_back({band, number, way,
                      pool_.submit(task_options(trials, way, options_.timeout), band_task,
                                   std::span<const double>(curve_.time), std::span<const double>(curve_.flux), grid_,
                                   trials, ledger_.order(way, 1, options_.leaked_bytes()))});
}

void Search::judge(const Try& attempt, const hotspare::WorkerDied& death) {
  ++deaths_;
  if (attempt.way != Way::none && verdict_fits(attempt.way, death.report())) {
    ++result_.verdicts[static_cast<std::size_t>(attempt.way)];
  } else {
    const std::string planned = attempt.way == Way::none ? "no death" : std::string(name(attempt.way));
    result_.surprises.push_back(planned + " was planned, the pool reports: " + death.report().summary());
  }
}

void Search::collect(const Try& attempt) {
  try {
    result_.parts[attempt.band] = attempt.future.get();
    if (attempt.way == Way::leak) ++result_.verdicts[static_cast<std::size_t>(Way::leak)];
    ++finished_;
    return;
  } catch (const hotspare::WorkerDied& death) {
    judge(attempt, death);
  } catch (const hotspare::chaos::Struck&) {
    ++result_.verdicts[static_cast<std::size_t>(Way::raise)];
  } catch (const std::exception& error) {
    result_.surprises.push_back("band " + std::to_string(attempt.band) + " raised: " + error.what());
  }
  if (attempt.number < most_tries) {
    submit(attempt.band, attempt.number + 1);
  } else {
    ++result_.lost;
  }
}

SearchResult Search::run() {
  const Counts before = ledger_.done();
  result_.bands = cut_into_bands(grid_, options_.bands);
  result_.parts.resize(result_.bands.size());
  ways_to_die_ = options_.ways_to_die(result_.bands.size());
  for (std::size_t band = 0; band < result_.bands.size(); ++band) submit(band, 1);
  Progress progress(curve_.name, result_.bands.size());
  while (!pending_.empty()) {
    const Try attempt = std::move(pending_.front());
    pending_.pop_front();
    collect(attempt);
    progress.show(finished_, deaths_);
  }
  for (const BandResult& part : result_.parts)
    if (!part.power.empty()) append(result_.merged, part);
  const Counts after = ledger_.done();
  for (std::size_t i = 0; i < ways; ++i) result_.done[i] = after[i] - before[i];
  return std::move(result_);
}

}  // namespace

SearchResult search_star(hotspare::Pool& pool, const LightCurve& curve, const PeriodGrid& grid, const Ledger& ledger,
                         const SearchOptions& options) {
  return Search(pool, curve, grid, ledger, options).run();
}

}  // namespace transit
