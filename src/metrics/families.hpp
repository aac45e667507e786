#pragma once

#include <hotspare/standby_stats.hpp>
#include <hotspare/stats.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <type_traits>
#include <vector>

/// What the figures of a pool and of a channel are called: one table of counts, one of histograms.
namespace hotspare::metrics {

enum class Shape : unsigned char {
  counter,  ///< Never goes down.
  gauge,    ///< Of this moment: a closed pool has none.
  peak      ///< The highest gauge of all time.
};

/// A figure of a pool or a channel; name is empty where it has none of that meaning.
template <class S, class T = std::uint64_t>
struct Member {
  const char* name = "";
  T S::*value = nullptr;
};

struct Family {
  const char* name;  ///< As a metric, without its prefix and "_total".
  Shape shape;
  Member<Stats> pool;
  Member<StandbyStats> standby;
  const char* help;
};

inline constexpr std::array families = std::to_array<Family>({
    {"tasks_submitted", Shape::counter, {"submitted", &Stats::submitted}, {}, "Tasks submitted."},
    {"tasks_values", Shape::counter, {"values", &Stats::values}, {}, "Tasks that returned a value."},
    {"tasks_raised", Shape::counter, {"raised", &Stats::raised}, {}, "Tasks that threw."},
    {"tasks_died", Shape::counter, {"died", &Stats::died}, {}, "Tasks that settled as the death of their worker."},
    {"tasks_cancelled", Shape::counter, {"cancelled", &Stats::cancelled}, {}, "Tasks that were cancelled."},
    {"tasks_refused", Shape::counter, {"refused", &Stats::refused}, {}, "Tasks that could not be run."},
    {"tasks_retried", Shape::counter, {"retried", &Stats::retried}, {}, "Attempts after the first."},
    {"tasks_retries_denied",
     Shape::counter,
     {"retries_denied", &Stats::retries_denied},
     {},
     "Attempts that were not made because the retry budget was used up."},
    {"tasks_quarantined", Shape::counter, {"quarantined", &Stats::quarantined}, {}, "Tasks that ended as quarantined."},
    {"tasks_put_back",
     Shape::counter,
     {"put_back", &Stats::put_back},
     {},
     "Attempts that were ended to make room for others, and made again."},
    {"tasks_run_in_host",
     Shape::counter,
     {"run_in_host", &Stats::run_in_host},
     {},
     "Attempts that ran in the host itself."},
    {"tasks_expired", Shape::counter, {"expired", &Stats::expired}, {}, "Tasks that waited too long to begin."},
    {"tasks_recalled",
     Shape::counter,
     {"recalled", &Stats::recalled},
     {},
     "Prefetched tasks that were taken back from a worker."},
    {"tasks_unsettled_peak",
     Shape::peak,
     {"peak_unsettled", &Stats::peak_unsettled},
     {},
     "Most tasks that were unsettled at one time."},
    {"tasks_queued", Shape::gauge, {"queued", &Stats::queued}, {}, "Tasks not yet handed to a worker."},
    {"tasks_in_workers",
     Shape::gauge,
     {"in_workers", &Stats::in_workers},
     {},
     "Tasks handed to a worker and not settled."},
    {"workers", Shape::gauge, {"workers", &Stats::workers}, {}, "Workers that are ready to run tasks."},
    {"spares",
     Shape::gauge,
     {"spares", &Stats::spares},
     {"spares", &StandbyStats::spares},
     "Workers that are ready and parked, and replicas that follow without being waited for."},
    {"segment_bytes",
     Shape::gauge,
     {"segment_bytes", &Stats::segment_bytes},
     {},
     "Shared memory held for large payloads."},
    {"deaths",
     Shape::counter,
     {"deaths", &Stats::deaths},
     {"deaths", &StandbyStats::deaths},
     "Workers and replicas that died unexpectedly."},
    {"deaths_idle", Shape::counter, {"deaths_idle", &Stats::deaths_idle}, {}, "Deaths of workers without a task."},
    {"deaths_before_ready",
     Shape::counter,
     {"deaths_before_ready", &Stats::deaths_before_ready},
     {"deaths_before_ready", &StandbyStats::deaths_before_ready},
     "Deaths before the initializer was through, or before the replica was in step."},
    {"hangs", Shape::counter, {}, {"hangs", &StandbyStats::hangs}, "Replicas that were ended because they hung."},
    {"takeovers",
     Shape::counter,
     {"takeovers", &Stats::takeovers},
     {"takeovers", &StandbyStats::takeovers},
     "Deaths after which another process went on at once."},
    {"starts",
     Shape::counter,
     {"forks", &Stats::forks},
     {"starts", &StandbyStats::starts},
     "Workers and replicas asked for."},
    {"retired", Shape::counter, {"retired", &Stats::retired}, {}, "Workers that left as planned."},
    {"rejoined",
     Shape::counter,
     {},
     {"rejoined", &StandbyStats::rejoined},
     "Replicas that came into step after their channel was made."},
    {"zygote_deaths",
     Shape::counter,
     {"zygote_deaths", &Stats::zygote_deaths},
     {"zygote_deaths", &StandbyStats::zygote_deaths},
     "Deaths of the process that forks the others."},
    {"blocks", Shape::counter, {}, {"blocks", &StandbyStats::blocks}, "Blocks processed: answered and late ones."},
    {"blocks_answered",
     Shape::counter,
     {},
     {"answered", &StandbyStats::answered},
     "Blocks answered by their deadline."},
    {"blocks_late",
     Shape::counter,
     {},
     {"late", &StandbyStats::late},
     "Blocks that nobody answered by their deadline."},
    {"handovers",
     Shape::counter,
     {},
     {"handovers", &StandbyStats::handovers},
     "Blocks for which the next replica was woken because patience was over."},
    {"blocks_left_out",
     Shape::counter,
     {},
     {"left_out", &StandbyStats::left_out},
     "Blocks that killed replicas again and again, and are processed by nobody."},
    {"states_lost",
     Shape::counter,
     {},
     {"states_lost", &StandbyStats::states_lost},
     "Times that no replica with the state was left."},
    {"replicas_in_step", Shape::gauge, {}, {"in_step", &StandbyStats::in_step}, "Replicas that answer, or could."},
});

struct HistogramFamily {
  const char* name;  ///< As a metric, without its prefix.
  Member<Stats, Histogram> pool;
  Member<StandbyStats, Histogram> standby;
  const char* help;
};

inline constexpr std::array histogram_families = std::to_array<HistogramFamily>({
    {"detection_seconds",
     {"detection", &Stats::detection},
     {"detection", &StandbyStats::detection},
     "From a death to its notice, of deaths whose instant is known."},
    {"recovery_seconds",
     {"recovery", &Stats::recovery},
     {"rejoin", &StandbyStats::rejoin},
     "From the notice of a death to a replacement that is ready."},
    {"takeover_seconds",
     {},
     {"takeover", &StandbyStats::takeover},
     "What a takeover cost the stream: from the notice of the death to the next block answered."},
    {"block_latency_seconds", {}, {"latency", &StandbyStats::latency}, "From a block to its answer, of answered ones."},
});

/// The figure of this kind in a row of either table.
template <class S, class Row>
constexpr auto member_of(const Row& row) {
  if constexpr (std::is_same_v<S, Stats>) {
    return row.pool;
  } else {
    return row.standby;
  }
}
template <class S, class Table>
constexpr std::size_t count_of(const Table& table) {
  return static_cast<std::size_t>(
      std::count_if(table.begin(), table.end(), [](const auto& row) { return member_of<S>(row).value != nullptr; }));
}
// A figure that is missing in the tables would be missing in all sums.
static_assert(sizeof(Stats) == count_of<Stats>(families) * sizeof(std::uint64_t) +
                                   count_of<Stats>(histogram_families) * sizeof(Histogram) +
                                   sizeof(Stats::deaths_by_cause));
static_assert(sizeof(StandbyStats) == count_of<StandbyStats>(families) * sizeof(std::uint64_t) +
                                          count_of<StandbyStats>(histogram_families) * sizeof(Histogram) +
                                          sizeof(StandbyStats::deaths_by_cause) + sizeof(std::vector<std::string>));

}  // namespace hotspare::metrics
