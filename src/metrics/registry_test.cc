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

}  // namespace
}  // namespace hotspare::metrics
