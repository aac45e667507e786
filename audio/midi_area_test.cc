#include "midi_area.hpp"

#include <gtest/gtest.h>

#include <cstring>
#include <vector>

namespace hotspare::audio {
namespace {

std::vector<std::byte> bytes(std::initializer_list<int> values) {
  std::vector<std::byte> result;
  for (const int value : values) result.push_back(static_cast<std::byte>(value));
  return result;
}

TEST(MidiArea, GivesBackWhatWasAdded) {
  std::vector<std::byte> area(64);
  MidiWriter writer(area);
  EXPECT_TRUE(writer.add(0, bytes({0x90, 60, 100})));
  EXPECT_TRUE(writer.add(127, bytes({0xc0, 1})));
  EXPECT_TRUE(writer.add(127, {}));
  MidiReader reader(area);
  const auto first = reader.next();
  ASSERT_TRUE(first);
  EXPECT_EQ(first->frame, 0U);
  EXPECT_EQ(std::vector(first->bytes.begin(), first->bytes.end()), bytes({0x90, 60, 100}));
  const auto second = reader.next();
  ASSERT_TRUE(second);
  EXPECT_EQ(second->frame, 127U);
  EXPECT_EQ(second->bytes.size(), 2U);
  ASSERT_TRUE(reader.next());
  EXPECT_FALSE(reader.next());
}

TEST(MidiArea, DropsWhatHasNoRoom) {
  std::vector<std::byte> area(4 + 12);
  MidiWriter writer(area);
  EXPECT_TRUE(writer.add(1, bytes({1, 2, 3, 4})));
  EXPECT_FALSE(writer.add(2, bytes({1})));
  MidiReader reader(area);
  EXPECT_TRUE(reader.next());
  EXPECT_FALSE(reader.next());
  MidiWriter none({});
  EXPECT_FALSE(none.add(0, bytes({1})));
  EXPECT_FALSE(MidiReader({}).next());
}

TEST(MidiArea, ReadsNothingBeyondIt) {
  for (const std::uint32_t lie : {0xffffffffU, 0x7fffffffU, 13U, 64U}) {
    std::vector<std::byte> area(16);
    MidiWriter writer(area);
    writer.add(5, bytes({1, 2, 3}));
    std::memcpy(area.data(), &lie, sizeof lie);  // so many used
    MidiReader reader(area);
    EXPECT_TRUE(reader.next());
    EXPECT_FALSE(reader.next());
    std::memcpy(&area[8], &lie, sizeof lie);  // the event's size
    EXPECT_FALSE(MidiReader(area).next());
  }
}

}  // namespace
}  // namespace hotspare::audio
