#include "report.hpp"

#include "catalogue.hpp"

#include <cmath>
#include <cstdarg>
#include <cstdio>

namespace transit {

namespace {

/// A label, then a line like printf's.
__attribute__((format(printf, 2, 3))) void line(const char* label, const char* format, ...) {
  std::printf("  %-16s ", label);
  va_list arguments;
  va_start(arguments, format);
  std::vprintf(format, arguments);
  va_end(arguments);
  std::putchar('\n');
}

unsigned long long shown(std::uint64_t value) { return value; }

std::uint64_t sum(const Counts& counts) {
  std::uint64_t all = 0;
  for (const std::uint64_t count : counts) all += count;
  return all;
}

void print_deaths(const SearchResult& result) {
  line("deaths", "%-22s %8s %8s", "how", "saboteur", "pool");
  for (std::size_t i = 1; i < ways; ++i)
    if (result.ordered[i] + result.done[i] + result.verdicts[i] != 0)
      line("", "%-22s %8llu %8llu", std::string(name(static_cast<Way>(i))).c_str(), shown(result.done[i]),
           shown(result.verdicts[i]));
  line("", "%-22s %8llu %8llu  counts agree: %s", "all", shown(sum(result.done)), shown(sum(result.verdicts)),
       result.counts_agree() ? "yes" : "NO");
  for (const std::string& surprise : result.surprises) line("not planned", "%s", surprise.c_str());
}

void print_period(const StarReport& report) {
  const Box& best = report.spectrum().best;
  if (best.power <= 0) return line("period", "no dip found");
  const double period = report.grid.period(best.trial);
  line("period", "%.5f days", period);
  const Published* known = published_for(report.curve.name);
  if (known == nullptr) {
    line("published", "nothing known here for this star");
  } else {
    const Agreement agreement = compare(period, known->period);
    line("published", "%.6g days: differs by %.3f %%%s (%s, %s)", known->period,
         100 * std::abs(period / known->period - 1),
         agreement == Agreement::same       ? ""
         : agreement == Agreement::harmonic ? ", A HARMONIC, not counted as found"
                                            : ", NOT FOUND",
         std::string(known->planet).c_str(), std::string(known->source).c_str());
  }
  line("transit", "depth %.1f ppm, duration %.2f hours, epoch %.4f, %llu points within", 1e6 * best.depth,
       24 * best.duration, best.epoch, shown(best.points));
  line("SDE", "%.2f", detection_efficiency(report.spectrum().power));
}

void print_check(const StarReport& report) {
  line("tasks lost", "%llu", shown(report.pool->lost));
  if (!report.serial) return line("tasks wrong", "not checked");
  line("tasks wrong", "%llu", shown(report.wrong()));
  line("as serial run", "merged spectrum equals serial run bit for bit: %s", report.equals_serial() ? "yes" : "NO");
}

void print_times(const StarReport& report) {
  if (report.pool) line("time, pool", "%.2f s, %u workers", report.pool_seconds, report.workers);
  if (report.serial) line("time, serial", "%.2f s", report.serial_seconds);
}

}  // namespace

std::uint64_t StarReport::wrong() const {
  if (!pool || !serial) return 0;
  std::uint64_t wrong = 0;
  for (std::size_t i = 0; i < pool->bands.size(); ++i)
    if (!pool->parts[i].power.empty() && !same_bits(pool->parts[i], pool->bands[i], *serial)) ++wrong;
  return wrong;
}

bool StarReport::equals_serial() const {
  return pool && serial && same_bits(pool->merged, {0, grid.trials}, *serial) && pool->merged.best == serial->best;
}

bool StarReport::period_agrees() const {
  const Published* known = published_for(curve.name);
  return known == nullptr || compare(grid.period(spectrum().best.trial), known->period) == Agreement::same;
}

bool StarReport::good() const {
  if (pool && (pool->lost != 0 || !pool->counts_agree())) return false;
  if (pool && serial && (wrong() != 0 || !equals_serial())) return false;
  return period_agrees();
}

void print(const StarReport& report) {
  const LightCurve& curve = report.curve;
  std::printf("\n%s\n", curve.name.c_str());
  line("light curve", "%zu points over %.1f days, from %zu file%s", curve.size(),
       curve.time.back() - curve.time.front(), report.files, report.files == 1 ? "" : "s");
  line("trial periods", "%llu, %.3f to %.3f days", shown(report.grid.trials),
       report.grid.period(report.grid.trials - 1), report.grid.period(0));
  if (report.pool) {
    line("tasks", "%zu bands of trial periods", report.pool->bands.size());
    if (report.pool->kept)
      line("journal", "%llu of these came from it, %llu were run", shown(*report.pool->kept),
           shown(report.pool->bands.size() - *report.pool->kept));
    print_deaths(*report.pool);
    print_check(report);
  }
  print_period(report);
  print_times(report);
  std::fflush(stdout);
}

}  // namespace transit
