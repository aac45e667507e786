#include "metrics/openmetrics.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sstream>

namespace hotspare::metrics {
namespace {

using std::chrono::nanoseconds;
using testing::Contains;
using testing::Not;

std::vector<std::string> lines_of(const Totals& totals) {
  std::istringstream text(openmetrics_of(totals));
  std::vector<std::string> lines;
  for (std::string line; std::getline(text, line);) lines.push_back(line);
  return lines;
}
/// Those of one family's samples.
std::vector<std::string> samples_of(const std::string& family, const Totals& totals) {
  std::vector<std::string> lines = lines_of(totals);
  std::erase_if(lines, [&](const std::string& line) { return !line.starts_with("hotspare_" + family); });
  return lines;
}

TEST(OpenMetrics, OfNothingEachFamilyIsDescribedAndNothingCounted) {
  const std::vector<std::string> lines = lines_of({});
  constexpr std::size_t all = 2 + families.size() + histogram_families.size();
  constexpr std::size_t with_units = 1 + histogram_families.size();
  EXPECT_EQ(lines.size(), 2 * all + with_units + 1);
  for (const std::string& line : lines) EXPECT_TRUE(line.starts_with("# ")) << line;
  EXPECT_EQ(lines.back(), "# EOF");
  EXPECT_THAT(lines, Contains("# TYPE hotspare_deaths counter"));
  EXPECT_THAT(lines, Contains("# TYPE hotspare_detection_seconds histogram"));
  EXPECT_THAT(lines, Contains("# UNIT hotspare_detection_seconds seconds"));
  EXPECT_THAT(lines, Contains("# UNIT hotspare_segment_bytes bytes"));
}

TEST(OpenMetrics, EachKindHasTheFiguresThatItKnows) {
  Totals totals;
  totals.pools["decoders"] = {.made = 3, .open = 1, .stats = {.values = 7, .workers = 2}};
  totals.channels["reverb"] = {.made = 1, .open = 1, .stats = {.late = 5}};
  const std::vector<std::string> lines = lines_of(totals);
  EXPECT_THAT(lines, Contains(R"(hotspare_open{kind="pool",name="decoders"} 1)"));
  EXPECT_THAT(lines, Contains(R"(hotspare_made_total{kind="pool",name="decoders"} 3)"));
  EXPECT_THAT(lines, Contains(R"(hotspare_tasks_values_total{kind="pool",name="decoders"} 7)"));
  EXPECT_THAT(lines, Contains(R"(hotspare_workers{kind="pool",name="decoders"} 2)"));
  EXPECT_THAT(lines, Contains(R"(hotspare_blocks_late_total{kind="standby",name="reverb"} 5)"));
  EXPECT_THAT(lines, Contains(R"(hotspare_takeovers_total{kind="pool",name="decoders"} 0)"));
  EXPECT_THAT(lines, Contains(R"(hotspare_takeovers_total{kind="standby",name="reverb"} 0)"));
  EXPECT_THAT(lines, Not(Contains(R"(hotspare_tasks_values_total{kind="standby",name="reverb"} 0)")));
  EXPECT_THAT(lines, Not(Contains(R"(hotspare_blocks_late_total{kind="pool",name="decoders"} 0)")));
}

TEST(OpenMetrics, DeathsAreByCause) {
  Totals totals;
  Total<Stats>& total = totals.pools["p"];
  total.stats.deaths = 3;
  total.stats.deaths_by_cause[static_cast<std::size_t>(Cause::signal)] = 2;
  total.stats.deaths_by_cause[static_cast<std::size_t>(Cause::exited)] = 1;
  const std::vector<std::string> lines = samples_of("deaths_total", totals);
  EXPECT_EQ(lines.size(), cause_count);
  EXPECT_THAT(lines, Contains(R"(hotspare_deaths_total{kind="pool",name="p",cause="signal"} 2)"));
  EXPECT_THAT(lines, Contains(R"(hotspare_deaths_total{kind="pool",name="p",cause="exited"} 1)"));
  EXPECT_THAT(lines, Contains(R"(hotspare_deaths_total{kind="pool",name="p",cause="unknown"} 0)"));
}

TEST(OpenMetrics, NamesAreEscaped) {
  Totals totals;
  totals.pools["a\"b\\c\nd"].open = 1;
  EXPECT_THAT(samples_of("open", totals), Contains(R"(hotspare_open{kind="pool",name="a\"b\\c\nd"} 1)"));
}

TEST(OpenMetrics, HistogramsAreExactAtTheirBounds) {
  Totals totals;
  Histogram& latency = totals.channels["c"].stats.latency;
  latency.add(nanoseconds(1));
  latency.add(nanoseconds((1 << 14) - 1));
  latency.add(nanoseconds(1 << 14));
  latency.add(nanoseconds(1'000'000'000));
  latency.add(nanoseconds(std::int64_t{1} << 40));
  const std::vector<std::string> lines = samples_of("block_latency_seconds", totals);
  const auto bucket = [](const std::string& le, int count) {
    return R"(hotspare_block_latency_seconds_bucket{kind="standby",name="c",le=")" + le + "\"} " +
           std::to_string(count);
  };
  ASSERT_EQ(lines.size(), 21u + 3u);
  EXPECT_EQ(lines[0], bucket("0.000016383", 2));
  EXPECT_EQ(lines[1], bucket("0.000032767", 3));
  EXPECT_EQ(lines[15], bucket("0.536870911", 3));
  EXPECT_EQ(lines[16], bucket("1.073741823", 4));
  EXPECT_EQ(lines[20], bucket("17.179869183", 4));
  EXPECT_EQ(lines[21], bucket("+Inf", 5));
  EXPECT_EQ(lines[22], R"(hotspare_block_latency_seconds_count{kind="standby",name="c"} 5)");
  EXPECT_EQ(lines[23], R"(hotspare_block_latency_seconds_sum{kind="standby",name="c"} 1100.511660544)");
}

TEST(OpenMetrics, SumsOfWholeSeconds) {
  Totals totals;
  totals.pools["p"].stats.recovery.add(nanoseconds(2'000'000'000));
  EXPECT_THAT(samples_of("recovery_seconds_sum", totals),
              Contains(R"(hotspare_recovery_seconds_sum{kind="pool",name="p"} 2.0)"));
}

}  // namespace
}  // namespace hotspare::metrics
