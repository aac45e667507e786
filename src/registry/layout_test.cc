#include "registry/layout.hpp"

#include <gtest/gtest.h>

namespace hotspare::registry {
namespace {

TEST(RegistryLayout, FilesAreNamedByScopeAndName) {
  EXPECT_EQ(file_name("studio", "left.in"), "hotspare.studio.left.in");
  const auto names = names_of("hotspare.studio.left.in");
  ASSERT_TRUE(names);
  EXPECT_EQ(names->scope, "studio");
  EXPECT_EQ(names->name, "left.in");
}

TEST(RegistryLayout, WhatIsNoSegmentsNameIsNone) {
  for (const char* file : {"", "hotspare.", "hotspare.scope", "hotspare.scope.", "hotspare..name", "hotspare.a b.c",
                           "hotspare.a.b c", "sem.hotspare.a.b", "hotspare-test"})
    EXPECT_FALSE(names_of(file)) << file;
}

TEST(RegistryLayout, NamesHaveNoSlashNoBlankAndFitAFileName) {
  EXPECT_TRUE(good_name("s", "a-B_9.x"));
  for (const std::string name : {"", "a/b", "a b", "ä", "../x"}) EXPECT_FALSE(good_name("s", name)) << name;
  EXPECT_TRUE(good_name("s", std::string(244, 'a')));
  EXPECT_FALSE(good_name("s", std::string(245, 'a')));
  EXPECT_FALSE(good_scope("a.b"));
  EXPECT_FALSE(good_scope(""));
}

TEST(RegistryLayout, HeadsThatCannotBeAreRefused) {
  Head head;
  head.owner = {1, 2, 3};
  head.size = 100;
  EXPECT_EQ(check(head, data_at + 100)->size, 100u);
  EXPECT_EQ(check(head, data_at + 100)->owner, head.owner);
  EXPECT_FALSE(check(head, data_at + 99)) << "more bytes than the file has";
  EXPECT_FALSE(check(head, 99));
  head.size = ~std::uint64_t{0};
  EXPECT_FALSE(check(head, data_at + 100));
  head.size = 0;
  EXPECT_TRUE(check(head, data_at));
  head.signature[0] = 'x';
  EXPECT_FALSE(check(head, data_at));
}

}  // namespace
}  // namespace hotspare::registry
