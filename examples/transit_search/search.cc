#include "search.hpp"

#include "progress.hpp"

#include <chrono>
#include <csignal>
#include <deque>
#include <span>

namespace transit {

namespace {

using namespace std::chrono_literals;

constexpr unsigned most_tries = 4;
/// Far above what a band takes: a band that hangs for another reason than sabotage ends, too.
constexpr auto band_timeout = 300s;
constexpr std::size_t band_memory = std::size_t{1} << 30;
/// A sabotaged band need not finish: it is to hang, or to be full, soon.
constexpr auto hang_timeout = 500ms;
constexpr std::size_t memory_to_fill = std::size_t{128} << 20;

/// What runs in the worker. A sabotaged band dies half way through its work.
BandResult band_task(std::span<const double> time, std::span<const double> flux, PeriodGrid grid, Band band,
                     Sabotage sabotage) {
  if (sabotage.way != Way::none) {
    search_band(time, flux, grid, {band.first, band.first + (band.last - band.first) / 2});
    commit(sabotage);
  }
  return search_band(time, flux, grid, band);
}

hotspare::TaskOptions task_options(const Band& band, Way way) {
  return {.timeout = way == Way::hang ? std::chrono::nanoseconds(hang_timeout) : std::chrono::nanoseconds(band_timeout),
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
  void submit(std::size_t band, unsigned number, Way way);
  void submit_all();
  void collect(const Try& attempt);
  void judge(const Try& attempt, const hotspare::WorkerDied& death);

  hotspare::Pool& pool_;
  const LightCurve& curve_;
  const PeriodGrid& grid_;
  const Ledger& ledger_;
  const SearchOptions& options_;
  SearchResult result_;
  std::deque<Try> pending_;
  std::uint64_t finished_ = 0;
  std::uint64_t deaths_ = 0;
};

void Search::submit(std::size_t band, unsigned number, Way way) {
  const Band& trials = result_.bands[band];
  pending_.push_back({band, number, way,
                      pool_.submit(task_options(trials, way), band_task, std::span<const double>(curve_.time),
                                   std::span<const double>(curve_.flux), grid_, trials, ledger_.order(way))});
}

void Search::submit_all() {
  const std::vector<Way> ways_to_die = plan(result_.bands.size(), options_.kills, options_.seed);
  for (std::size_t band = 0; band < result_.bands.size(); ++band) {
    if (ways_to_die[band] != Way::none) ++result_.ordered[static_cast<std::size_t>(ways_to_die[band])];
    submit(band, 1, ways_to_die[band]);
  }
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
    ++finished_;
    return;
  } catch (const hotspare::WorkerDied& death) {
    judge(attempt, death);
  } catch (const std::exception& error) {
    result_.surprises.push_back("band " + std::to_string(attempt.band) + " raised: " + error.what());
  }
  if (attempt.number < most_tries) {
    submit(attempt.band, attempt.number + 1, Way::none);
  } else {
    ++result_.lost;
  }
}

SearchResult Search::run() {
  const Counts before = ledger_.done();
  result_.bands = cut_into_bands(grid_, options_.bands);
  result_.parts.resize(result_.bands.size());
  submit_all();
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

bool verdict_fits(Way way, const hotspare::CrashReport& report) {
  using hotspare::Cause;
  const auto by_signal = [&](int signal) { return report.cause == Cause::signal && report.signal == signal; };
  switch (way) {
    case Way::none: return false;
    case Way::kill_from_outside:
    case Way::kill_itself: return by_signal(SIGKILL);
    case Way::segmentation_fault: return by_signal(SIGSEGV);
    case Way::bus_error: return by_signal(SIGBUS);
    case Way::division_by_zero: return by_signal(SIGFPE);
    case Way::illegal_instruction: return by_signal(SIGILL);
    case Way::abort: return by_signal(SIGABRT);
    case Way::terminate: return report.cause == Cause::terminated;
    case Way::exit: return report.cause == Cause::exited && report.exit_code == 3;
    case Way::stack_overflow: return report.cause == Cause::stack_overflow;
    case Way::memory: return report.cause == Cause::memory_limit;
    case Way::hang: return report.cause == Cause::deadline;
  }
  return false;
}

SearchResult search_star(hotspare::Pool& pool, const LightCurve& curve, const PeriodGrid& grid, const Ledger& ledger,
                         const SearchOptions& options) {
  return Search(pool, curve, grid, ledger, options).run();
}

}  // namespace transit
