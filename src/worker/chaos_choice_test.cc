#include <hotspare/chaos.hpp>

#include <gtest/gtest.h>

#include <filesystem>
#include <string>

namespace hotspare::chaos {
namespace {

struct Row {
  std::uint64_t key;
  std::optional<How> chosen;
};

/// These rows may never change: people hold their runs against them, on other machines and in Python
/// (tests/promises/test_p11_chaos.py has the same ones).
TEST(ChaosChoose, IsTheSameEverywhere) {
  const Chaos chaos{.seed = 7, .rate = 0.25, .how = {How::sigkill, How::hang, How::raise}};
  for (const Row& row : {Row{0, {}}, Row{1, How::raise}, Row{2, {}}, Row{7, How::raise}, Row{8, How::hang},
                         Row{1000, {}}, Row{hash("foobar"), How::raise}, Row{~std::uint64_t{0}, {}}})
    EXPECT_EQ(chaos.choose(row.key), row.chosen) << row.key;
}

TEST(ChaosChoose, TheRateIsKept) {
  for (const double rate : {0.001, 0.02, 0.5}) {
    const Chaos chaos{.seed = 1, .rate = rate, .how = {How::sigkill, How::raise}};
    double struck = 0;
    double killed = 0;
    for (std::uint64_t key = 0; key < 200'000; ++key) {
      const auto how = chaos.choose(key);
      struck += how ? 1 : 0;
      killed += how == How::sigkill ? 1 : 0;
    }
    EXPECT_NEAR(struck / 200'000 / rate, 1, 0.15);
    EXPECT_NEAR(killed / struck, 0.5, 0.1);
  }
}

TEST(ChaosChoose, AllAndNone) {
  for (std::uint64_t key = 0; key < 1000; ++key) {
    EXPECT_FALSE(Chaos{}.choose(key));
    EXPECT_FALSE((Chaos{.rate = 1, .how = Hows()}.choose(key)));
    EXPECT_TRUE((Chaos{.rate = 1}.choose(key)));
  }
}

TEST(ChaosChoose, SeedsDrawByThemselves) {
  int both = 0;
  for (std::uint64_t key = 0; key < 10'000; ++key)
    both += Chaos{.seed = 1, .rate = 0.1}.choose(key) && Chaos{.seed = 2, .rate = 0.1}.choose(key) ? 1 : 0;
  EXPECT_NEAR(both, 100, 50);
}

TEST(ChaosChoose, EveryNthInTurn) {
  const Chaos chaos{.every = 10, .how = {How::raise, How::sigkill, How::hang}};  // in the order of How
  const How turn[] = {How::sigkill, How::hang, How::raise};
  for (std::uint64_t key = 0; key < 300; ++key)
    EXPECT_EQ(chaos.choose(key), key % 10 == 0 ? std::optional(turn[key / 10 % 3]) : std::nullopt) << key;
}

TEST(ChaosKey, OfNumbersTextAndPaths) {
  EXPECT_EQ(key_of(7), 7U);
  EXPECT_EQ(key_of(-1), ~std::uint64_t{0});
  // Test vectors of FNV-1a by its authors.
  EXPECT_EQ(key_of(""), 0xcbf29ce484222325U);
  EXPECT_EQ(key_of("a"), 0xaf63dc4c8601ec8cU);
  EXPECT_EQ(key_of(std::string("foobar")), 0x85944171f73967e8U);
  EXPECT_EQ(key_of(std::filesystem::path("foobar")), 0x85944171f73967e8U);
  const Chaos chaos{.every = 2};
  EXPECT_EQ(chaos.choose("foobar"), chaos.choose(hash("foobar")));
}

TEST(ChaosCheck, RefusesNonsense) {
  EXPECT_NO_THROW(Chaos{}.check());
  EXPECT_THROW((Chaos{.rate = -0.1}.check()), Error);
  EXPECT_THROW((Chaos{.rate = 1.1}.check()), Error);
  EXPECT_THROW((Chaos{.how = Hows()}.check()), Error);
}

}  // namespace
}  // namespace hotspare::chaos
