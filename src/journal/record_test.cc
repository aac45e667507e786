#include "journal/record.hpp"

#include <gtest/gtest.h>

namespace hotspare::journal {
namespace {

TEST(Record, TheSumIsOverAllOfIt) {
  Sha256 sha;
  const std::vector<std::byte> body{std::byte{1}, std::byte{2}};
  Record record{7, {}, Kind::raised, {true, false}, body};
  const Digest sum = checksum(sha, record);
  RawRecord raw{7, record.key, 2, 1, body, sum};
  ASSERT_TRUE(verified(sha, raw));
  EXPECT_EQ(verified(sha, raw)->kind, Kind::raised);
  EXPECT_TRUE(verified(sha, raw)->form.packed);

  const auto changed = [&](auto change) {
    RawRecord other = raw;
    change(other);
    return verified(sha, other).has_value();
  };
  Digest other_key{};
  other_key[31] = std::byte{1};
  Digest other_sum = sum;
  other_sum[0] ^= std::byte{1};
  const std::vector<std::byte> other_body{std::byte{1}, std::byte{3}};
  EXPECT_FALSE(changed([](RawRecord& r) { r.number = 8; }));
  EXPECT_FALSE(changed([](RawRecord& r) { r.kind = 1; }));
  EXPECT_FALSE(changed([](RawRecord& r) { r.form = 0; }));
  EXPECT_FALSE(changed([&](RawRecord& r) { r.key = other_key; }));
  EXPECT_FALSE(changed([&](RawRecord& r) { r.body = other_body; }));
  EXPECT_FALSE(changed([&](RawRecord& r) { r.body = r.body.first(1); }));
  EXPECT_FALSE(changed([&](RawRecord& r) { r.sum = other_sum; }));
}

TEST(Record, WhatCanBeNoneIsNone) {
  Sha256 sha;
  const Digest sum{};
  const Digest key{};
  EXPECT_FALSE(verified(sha, {0, key, 1, 0, {}, sum}));
  EXPECT_FALSE(verified(sha, {1, key, 0, 0, {}, sum}));
  EXPECT_FALSE(verified(sha, {1, key, highest_kind + 1, 0, {}, sum}));
  EXPECT_FALSE(verified(sha, {1, key, 1, 4, {}, sum}));
  EXPECT_FALSE(verified(sha, {1, {}, 1, 0, {}, sum}));
  EXPECT_FALSE(verified(sha, {1, key, 1, 0, {}, {}}));
}

TEST(Sha256, IsThatOfTheStandard) {
  Sha256 sha;
  sha.add("abc");
  EXPECT_EQ(hex(sha.finish()), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(hex(sha.finish()), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

}  // namespace
}  // namespace hotspare::journal
