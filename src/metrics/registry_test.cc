#include "metrics/registry.hpp"

#include <gtest/gtest.h>

namespace hotspare::metrics {
namespace {

TEST(Book, OpenAndClosedOnesOfANameAreOneSum) {
  Book<Stats> book;
  const auto first = book.open("a", [] { return Stats{.values = 5, .workers = 2}; });
  const auto second = book.open("a", [] { return Stats{.values = 7, .workers = 3}; });
  book.open("b", [] { return Stats{.values = 1}; });
  EXPECT_EQ(book.totals().at("a").stats.values, 12u);
  EXPECT_EQ(book.totals().at("a").stats.workers, 5u);
  EXPECT_EQ(book.totals().at("a").open, 2u);
  book.close(first);
  EXPECT_EQ(book.totals().at("a").stats.values, 12u);
  EXPECT_EQ(book.totals().at("a").stats.workers, 3u);
  EXPECT_EQ(book.totals().at("a").open, 1u);
  book.close(second);
  EXPECT_EQ(book.totals().at("a").stats.values, 12u);
  EXPECT_EQ(book.totals().at("a").open, 0u);
  EXPECT_EQ(book.totals().at("a").made, 2u);
  EXPECT_EQ(book.totals().at("b").stats.values, 1u);
}

TEST(Book, TheFiguresOfTheLastLookStay) {
  Book<Stats> book;
  std::uint64_t deaths = 1;
  const auto place = book.open("a", [&] { return Stats{.deaths = deaths}; });
  EXPECT_EQ(book.totals().at("a").stats.deaths, 1u);
  deaths = 4;
  book.close(place);
  EXPECT_EQ(book.totals().at("a").stats.deaths, 4u);
}

TEST(Book, NamesThatCameTooLateShareOne) {
  Book<Stats> book;
  for (std::size_t i = 0; i < most_labels + 10; ++i)
    book.close(book.open(std::to_string(i), [] { return Stats{.values = 1}; }));
  book.open("0", [] { return Stats{.values = 1}; });
  EXPECT_EQ(book.totals().size(), most_labels + 1);
  EXPECT_EQ(book.totals().at(other_label).stats.values, 10u);
  EXPECT_EQ(book.totals().at("0").stats.values, 2u);
}

TEST(Book, ANameThatIsNoTextIsMadeOne) {
  Book<Stats> book;
  book.open("a\xFF", [] { return Stats{}; });
  EXPECT_TRUE(book.totals().contains("a\xEF\xBF\xBD"));
}

TEST(Figures, OfChannelsAddUp) {
  StandbyStats one{.deaths = 2, .unavailable = {"no rights", "no room"}};
  StandbyStats two{.deaths = 3, .in_step = 2, .unavailable = {"no rights"}};
  one.takeover.add(std::chrono::nanoseconds(5));
  two.takeover.add(std::chrono::nanoseconds(9));
  two.deaths_by_cause[1] = 3;
  add(one, two);
  EXPECT_EQ(one.deaths, 5u);
  EXPECT_EQ(one.deaths_by_cause[1], 3u);
  EXPECT_EQ(one.in_step, 2u);
  EXPECT_EQ(one.takeover.count(), 2u);
  EXPECT_EQ(one.takeover.sum_ns, 14u);
  EXPECT_EQ(one.takeover.max_ns, 9u);
  EXPECT_EQ(one.unavailable, (std::vector<std::string>{"no rights", "no room"}));
  forget_gauges(one);
  EXPECT_EQ(one.deaths, 5u);
  EXPECT_EQ(one.in_step, 0u);
  EXPECT_TRUE(one.unavailable.empty());
}

TEST(Figures, OfPeaksTheHighestCounts) {
  Stats one{.peak_unsettled = 9};
  add(one, Stats{.peak_unsettled = 7});
  EXPECT_EQ(one.peak_unsettled, 9u);
  forget_gauges(one);
  EXPECT_EQ(one.peak_unsettled, 9u);
}

TEST(ValidUtf8, Table) {
  const std::string bad = "\xEF\xBF\xBD";
  const std::pair<std::string, std::string> rows[] = {
      {"", ""},
      {"plain", "plain"},
      {"ä €\xF0\x9F\x98\x80", "ä €\xF0\x9F\x98\x80"},
      {"\xFF", bad},
      {"a\x80z", "a" + bad + "z"},
      {"cut\xE2\x82", "cut" + bad + bad},
      {"\xC0\xAF", bad + bad},                      // longer than it need be
      {"\xE0\x80\x80", bad + bad + bad},            // the same
      {"\xED\xA0\x80", bad + bad + bad},            // half a surrogate pair
      {"\xF4\x90\x80\x80", bad + bad + bad + bad},  // beyond the last character
  };
  for (const auto& [given, valid] : rows) EXPECT_EQ(valid_utf8(given), valid) << given;
}

}  // namespace
}  // namespace hotspare::metrics
