// Searches light curves for transiting planets in a pool of processes, while a saboteur kills workers in every way.

#include "durable_search.hpp"
#include "inputs.hpp"
#include "options.hpp"
#include "read_any.hpp"
#include "report.hpp"
#include "search.hpp"

#include <hotspare/hotspare.hpp>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <memory>
#include <optional>
#include <utility>

namespace transit {

namespace {

using namespace std::chrono_literals;

/// One star: its curves, one per file.
struct Star {
  std::vector<LightCurve> curves;
};

struct Inputs {
  std::vector<Star> stars;
  std::size_t unreadable = 0;
};

void add(Inputs& inputs, LightCurve curve) {
  auto star = std::find_if(inputs.stars.begin(), inputs.stars.end(),
                           [&](const Star& known) { return known.curves.front().name == curve.name; });
  if (star == inputs.stars.end()) star = inputs.stars.emplace(inputs.stars.end());
  star->curves.push_back(std::move(curve));
}

/// Reads in the workers, if there is a pool: a file that brings its reader down costs that file only.
Inputs read_all(const std::vector<std::string>& files, hotspare::Pool* pool) {
  hotspare::TaskOptions limits;
  limits.timeout = 120s;
  limits.memory_limit = std::size_t{2} << 30;
  limits.name = "read";
  std::vector<hotspare::Future<LightCurve>> futures;
  if (pool != nullptr)
    for (const std::string& file : files) futures.push_back(pool->submit(limits, read_clean, file));
  Inputs inputs;
  for (std::size_t i = 0; i < files.size(); ++i) {
    try {
      add(inputs, pool != nullptr ? futures[i].get() : read_clean(files[i]));
    } catch (const hotspare::WorkerDied& death) {
      ++inputs.unreadable;
      std::fprintf(stderr, "transit_search: %s: its reader died: %s\n", files[i].c_str(), death.what());
    } catch (const std::exception& error) {
      ++inputs.unreadable;
      std::fprintf(stderr, "transit_search: %s\n", error.what());
    }
  }
  return inputs;
}

template <class F>
double seconds_of(F work) {
  const auto start = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

/// The pool with all that goes with it.
struct Pooled {
  Pooled(const hotspare::PoolOptions& options, const SearchOptions& what) : pool(options), search(what) {}

  Ledger ledger;
  hotspare::Pool pool;
  SearchOptions search;
  std::optional<DurableSearch> durable;

  SearchResult find(const LightCurve& curve, const PeriodGrid& grid) {
    return durable ? durable->search(curve, grid) : search_star(pool, curve, grid, ledger, search);
  }
};

/// Searches, compares and reports one star; true if all was as it must be.
bool search_and_report(const Star& star, Pooled* pooled, const Options& options) {
  const LightCurve curve = merged(star.curves);
  const PeriodGrid grid = make_grid(curve.time.back() - curve.time.front(), options.grid);
  StarReport report{.curve = curve, .grid = grid, .files = star.curves.size()};
  if (pooled != nullptr) {
    report.workers = pooled->search.workers;
    report.pool_seconds = seconds_of([&] { report.pool = pooled->find(curve, grid); });
  }
  if (pooled == nullptr || options.serial_check)
    report.serial_seconds = seconds_of([&] {
      report.serial = search_band(curve.time, curve.flux, grid, {0, grid.trials});
    });
  print(report);
  return report.good();
}

unsigned workers_of(const Options& options) { return options.workers != 0 ? options.workers : hotspare::usable_cpus(); }

SearchOptions search_options(const Options& options) {
  SearchOptions search{
      .workers = workers_of(options), .bands = options.bands, .kills = options.kills, .seed = options.seed};
  search.timeout = std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::duration<double>(options.timeout));
  if (options.chaos.empty()) return search;
  try {
    search.chaos = hotspare::chaos::Chaos::from_text(options.chaos);
  } catch (const hotspare::Error& error) {
    throw UsageError("--chaos: " + std::string(error.what()));
  }
  return search;
}

/// Somebody's earlier work is not gone on with by accident.
void check_journal(const Options& options) {
  if (!options.journal.empty() && !options.resume && std::filesystem::exists(options.journal))
    throw UsageError(options.journal + " exists: --resume goes on with it, or remove it");
}

hotspare::PoolOptions pool_options(const Options& options) {
  return {.workers = options.workers,
          .spares = options.spares,
          .start = options.exec ? hotspare::Start::exec : hotspare::Start::fork,
          .quarantine_deaths = 0,  // most_tries is what bounds them
          .retry_budget = {.tokens = 1e6},
          .worker_stderr = hotspare::Stderr::capture,
          .name = "transit_search"};
}

std::unique_ptr<Pooled> make_pool(const Options& options) {
  check_journal(options);
  const SearchOptions search = search_options(options);
  auto pooled = std::make_unique<Pooled>(pool_options(options), search);
  if (!options.journal.empty())
    pooled->durable.emplace(pooled->pool, options.journal, options.log, pooled->ledger, search);
  return pooled;
}

void close_journal(DurableSearch& durable, const std::string& journal) {
  durable.close();
  const hotspare::BatchCounts counts = durable.counts();
  std::printf("\n%s: %llu bands came from the journal, %llu were run\n", journal.c_str(),
              static_cast<unsigned long long>(counts.kept), static_cast<unsigned long long>(counts.run));
}

int run(const Options& options) {
  const std::vector<std::string> files = options.inputs.empty() ? default_inputs() : find_inputs(options.inputs);
  const std::unique_ptr<Pooled> pooled = options.serial_only ? nullptr : make_pool(options);
  const Inputs inputs = read_all(files, pooled ? &pooled->pool : nullptr);
  std::size_t good = 0;
  for (const Star& star : inputs.stars) {
    try {
      good += search_and_report(star, pooled.get(), options) ? 1U : 0U;
    } catch (const hotspare::JournalError&) {
      throw;  // no star can be searched any more
    } catch (const std::runtime_error& error) {
      std::fprintf(stderr, "transit_search: %s: %s\n", star.curves.front().name.c_str(), error.what());
    }
  }
  if (pooled && pooled->durable) close_journal(*pooled->durable, options.journal);
  std::printf("\n%zu stars searched, %zu of them as they must be; %zu of %zu files could not be read\n",
              inputs.stars.size(), good, inputs.unreadable, files.size());
  return good == inputs.stars.size() && good > 0 ? 0 : 1;
}

}  // namespace

}  // namespace transit

int main(int argc, char** argv) {
  hotspare::init(argc, argv);
  try {
    const transit::Options options = transit::parse_options({argv + 1, argv + argc});
    if (options.help) return std::fputs(transit::help_text, stdout), 0;
    return transit::run(options);
  } catch (const transit::UsageError& error) {
    std::fprintf(stderr, "transit_search: %s\nTry --help.\n", error.what());
    return 2;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "transit_search: %s\n", error.what());
    return 1;
  }
}
