#include "catalogue.hpp"

#include <gtest/gtest.h>

namespace transit {
namespace {

TEST(Catalogue, KnowsStarsHoweverTheyAreWritten) {
  ASSERT_NE(published_for("EPIC 201367065"), nullptr);
  EXPECT_EQ(published_for("epic_201367065"), published_for("EPIC 201367065"));
  EXPECT_EQ(published_for("pi Mensae")->planet, "pi Mensae c");
  EXPECT_EQ(published_for("EPIC 2013670655"), nullptr);
  EXPECT_EQ(published_for(""), nullptr);
}

TEST(Catalogue, CountsAHarmonicNotAsFound) {
  EXPECT_EQ(compare(10.05, 10.0546), Agreement::same);
  EXPECT_EQ(compare(5.027, 10.0546), Agreement::harmonic);
  EXPECT_EQ(compare(15.08, 10.0546), Agreement::harmonic);
  EXPECT_EQ(compare(11.5, 10.0546), Agreement::other);
  EXPECT_EQ(compare(10.2, 10.0546), Agreement::other);
}

}  // namespace
}  // namespace transit
