#include "durable_search.hpp"

#include "progress.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <mutex>
#include <system_error>
#include <utility>

namespace transit {

namespace {

using namespace std::chrono_literals;

/// Bands of one journal have one deadline and one memory limit: as sabotage would have them, but with room for honest work.
constexpr auto hang_timeout = 2s;
constexpr std::size_t memory_to_fill = std::size_t{256} << 20;
/// Bands in flight for each worker: a kill of this program costs these at most.
constexpr std::size_t window_per_worker = 4;

/// One line, in one write: many processes append.
void note(const std::string& log, const char* what, const Band& band) {
  if (log.empty()) return;
  const int fd = open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
  const std::string line =
      std::string(what) + " " + std::to_string(band.first) + " " + std::to_string(band.last) + "\n";
  const bool written = fd >= 0 && write(fd, line.data(), line.size()) == static_cast<ssize_t>(line.size());
  const int error = errno;
  if (fd >= 0) close(fd);
  if (!written) throw std::system_error(error, std::generic_category(), "writing to the log " + log);
}

/// What a task is given. The curve: all times, then all fluxes, in memory that all workers see.
struct Question {
  hotspare::Buffer curve;
  PeriodGrid grid;
  Band band;
  Sabotage sabotage;
  std::string log;

  template <class Archive>
  void serialize(Archive& archive) {
    archive(curve, grid.first_root, grid.step, grid.trials, band.first, band.last, sabotage, log);
  }
};

/// What it is known by in the journal. Plain bytes without padding.
struct Key {
  std::uint64_t times = 0;
  std::uint64_t fluxes = 0;
  std::uint64_t points = 0;
  PeriodGrid grid;
  Band band;
};

/// Results come as they are ready, so each says whose it is.
struct Found {
  Band band;
  BandResult result;

  template <class Archive>
  void serialize(Archive& archive) {
    archive(band.first, band.last, result);
  }
};

Found answer(const Question& question) {
  note(question.log, "begun", question.band);
  const std::span<const double> points = question.curve.as<const double>();
  const std::size_t half = points.size() / 2;
  return {question.band,
          search_sabotaged(points.first(half), points.subspan(half), question.grid, question.band, question.sabotage)};
}

/// FNV-1a with 64 bits (Fowler, Noll, Vo).
std::uint64_t hash(const std::vector<double>& values) {
  std::uint64_t hash = 0xcbf29ce484222325;
  for (const double value : values) {
    std::array<unsigned char, sizeof value> bytes{};
    std::memcpy(bytes.data(), &value, sizeof value);
    for (const unsigned char byte : bytes) hash = (hash ^ byte) * 0x100000001b3;
  }
  return hash;
}

hotspare::Buffer shared(const LightCurve& curve) {
  const std::size_t bytes = curve.size() * sizeof(double);
  hotspare::Buffer buffer = hotspare::Buffer::make(2 * bytes);
  std::memcpy(buffer.data(), curve.time.data(), bytes);
  std::memcpy(buffer.data() + bytes, curve.flux.data(), bytes);
  return buffer;
}

}  // namespace

/// Failed tries, as the pool reports them, on whatever thread.
class DurableSearch::Failures {
 public:
  void add(const std::exception_ptr& error) {
    const std::lock_guard lock(mutex_);
    errors_.push_back(error);
  }
  std::vector<std::exception_ptr> take() {
    const std::lock_guard lock(mutex_);
    return std::exchange(errors_, {});
  }
  std::size_t size() {
    const std::lock_guard lock(mutex_);
    return errors_.size();
  }

 private:
  std::mutex mutex_;
  std::vector<std::exception_ptr> errors_;
};

namespace {

hotspare::BatchOptions batch_options(const SearchOptions& options,
                                     std::function<void(const hotspare::Failure&)> before_retry) {
  const std::vector<Way> ways_to_die = options.ways_to_die(options.bands);
  const bool hangs = std::any_of(ways_to_die.begin(), ways_to_die.end(), never_ends);
  const bool fills = std::find(ways_to_die.begin(), ways_to_die.end(), Way::memory) != ways_to_die.end();
  hotspare::BatchOptions batch;
  batch.version = "1";  // of search_band's results
  batch.rerun = hotspare::Rerun::failed;
  batch.window = window_per_worker * options.workers;
  batch.task.name = "band";
  batch.task.timeout = hangs ? std::chrono::nanoseconds(hang_timeout) : band_timeout;
  if (options.timeout.count() != 0) batch.task.timeout = options.timeout;
  batch.task.memory_limit = fills ? memory_to_fill : band_memory;
  batch.task.retries = {.attempts = most_tries,
                        .on_exception = true,
                        .memory_attempts = most_tries - 1,
                        .before_retry = std::move(before_retry),
                        .base = 0ns};
  return batch;
}

/// Which way each failure was, told apart by what the pool says of it: the saboteur's count says how many of each there are.
void judge(const std::vector<std::exception_ptr>& failures, SearchResult& result) {
  const auto take = [&](auto fits) {
    for (std::size_t way = 1; way < ways; ++way)
      if (fits(static_cast<Way>(way)) && result.verdicts[way] < result.done[way]) return ++result.verdicts[way], true;
    return false;
  };
  for (const std::exception_ptr& failure : failures) {
    try {
      std::rethrow_exception(failure);
    } catch (const hotspare::WorkerDied& death) {
      if (!take([&](Way way) { return verdict_fits(way, death.report()); }))
        result.surprises.push_back("the pool reports: " + death.report().summary());
    } catch (const hotspare::chaos::Struck&) {
      if (!take([](Way way) { return way == Way::raise; })) result.surprises.emplace_back("an exception of chaos");
    } catch (const std::exception& error) {
      result.surprises.push_back(std::string("a band raised: ") + error.what());
    }
  }
}

}  // namespace

DurableSearch::DurableSearch(hotspare::Pool& pool, const std::string& journal, std::string log, const Ledger& ledger,
                             const SearchOptions& options)
    : log_(std::move(log)),
      ledger_(ledger),
      options_(options),
      failures_(std::make_shared<Failures>()),
      batch_(pool, journal, batch_options(options, [failures = failures_](const hotspare::Failure& failure) {
               failures->add(failure.error());
             })) {}

DurableSearch::~DurableSearch() = default;

/// One star's search.
struct DurableSearch::Run {
  Key star;
  std::vector<Question> questions;
  std::vector<Way> ways_to_die;
  std::vector<bool> kept;
  SearchResult result;

  std::size_t number_of(const Band& band) const {
    const auto at = std::find_if(result.bands.begin(), result.bands.end(),
                                 [&](const Band& each) { return each.first == band.first; });
    return static_cast<std::size_t>(at - result.bands.begin());
  }
  void take(const Found& found, bool was_kept) {
    const std::size_t band = number_of(found.band);
    result.parts.at(band) = found.result;
    kept[band] = was_kept;
    *result.kept += was_kept ? 1 : 0;
    if (!was_kept && ways_to_die[band] == Way::leak) ++result.verdicts[static_cast<std::size_t>(Way::leak)];
  }
  /// What was to be done to the bands that were run.
  void count_orders(std::uint32_t struck_attempts) {
    const std::uint64_t each = struck_attempts == 0 ? most_tries : std::min(struck_attempts, most_tries);
    for (std::size_t i = 0; i < ways_to_die.size(); ++i)
      if (!kept[i] && ways_to_die[i] != Way::none)
        result.ordered[static_cast<std::size_t>(ways_to_die[i])] += ways_to_die[i] == Way::leak ? 1 : each;
  }
};

void DurableSearch::read(Run& run, const LightCurve& curve) {
  const auto key_of = [star = run.star](const Question& question) {
    Key key = star;
    key.band = question.band;
    return key;
  };
  Progress progress(curve.name, run.questions.size());
  std::uint64_t finished = 0;
  auto view = batch_.as_completed(answer, run.questions, key_of);
  for (auto at = view.begin(); at != view.end(); ++at) {
    try {
      const Found& found = *at;
      run.take(found, at.was_kept());
      note(log_, at.was_kept() ? "kept" : "given", found.band);
      ++finished;
    } catch (const hotspare::JournalError&) {
      throw;
    } catch (const std::exception&) {
      failures_->add(std::current_exception());
      ++run.result.lost;
    }
    progress.show(finished, failures_->size());
  }
}

SearchResult DurableSearch::search(const LightCurve& curve, const PeriodGrid& grid) {
  Run run;
  run.star = {hash(curve.time), hash(curve.flux), curve.size(), grid, {}};
  SearchResult& result = run.result;
  result.bands = cut_into_bands(grid, options_.bands);
  result.parts.resize(result.bands.size());
  result.kept = 0;
  run.kept.resize(result.bands.size());
  run.ways_to_die = options_.ways_to_die(result.bands.size());
  const hotspare::Buffer points = shared(curve);
  for (std::size_t i = 0; i < result.bands.size(); ++i)
    run.questions.push_back({points, grid, result.bands[i],
                             ledger_.order(run.ways_to_die[i], options_.struck_attempts(), options_.leaked_bytes()),
                             log_});

  const Counts before = ledger_.done();
  read(run, curve);
  const Counts after = ledger_.done();
  for (std::size_t way = 0; way < ways; ++way) result.done[way] = after[way] - before[way];
  run.count_orders(options_.struck_attempts());
  judge(failures_->take(), result);
  for (const BandResult& part : result.parts)
    if (!part.power.empty()) append(result.merged, part);
  return std::move(result);
}

hotspare::BatchCounts DurableSearch::counts() const { return batch_.counts(); }
void DurableSearch::close() { batch_.close(); }

}  // namespace transit
