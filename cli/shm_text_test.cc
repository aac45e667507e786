#include "shm.hpp"

#include <gtest/gtest.h>

#include <algorithm>

namespace hotspare::cli {
namespace {

using std::chrono::hours;
using std::chrono::seconds;

const CommandOf named_cat = [](int) { return std::string("cat"); };

SegmentInfo left_channel() {
  SegmentInfo info;
  info.path = "/dev/shm/hotspare.studio.left";
  info.scope = "studio";
  info.name = "left";
  info.bytes = 3 << 20;
  info.state = SegmentState::used;
  info.owner = 4711;
  info.owner_started = 99;
  info.owner_state = OwnerState::lives;
  info.users = {4711, 4712};
  return info;
}

TEST(ShmText, SizesAndAges) {
  EXPECT_EQ(size_text(0), "0 B");
  EXPECT_EQ(size_text(1023), "1023 B");
  EXPECT_EQ(size_text(1536), "1.5 KiB");
  EXPECT_EQ(size_text(std::uint64_t{5} << 40), "5.0 TiB");
  EXPECT_EQ(age_text(seconds(-5)), "0 s") << "the clock was set back";
  EXPECT_EQ(age_text(seconds(119)), "119 s");
  EXPECT_EQ(age_text(seconds(125)), "2 min");
  EXPECT_EQ(age_text(hours(3)), "3 h");
  EXPECT_EQ(age_text(hours(50)), "2 d");
}

TEST(ShmText, EachStateIsSaid) {
  SegmentInfo info = left_channel();
  EXPECT_EQ(state_text(info), "used");
  info.state = SegmentState::orphaned;
  EXPECT_EQ(state_text(info), "orphaned");
  info.state = SegmentState::damaged;
  EXPECT_EQ(state_text(info), "damaged");
  info.state = SegmentState::unregistered;
  EXPECT_EQ(state_text(info), "unregistered, in use");
  info.users.clear();
  EXPECT_EQ(state_text(info), "unregistered, unused");
  info.users_known = false;
  EXPECT_EQ(state_text(info), "unregistered") << "who knows";
}

TEST(ShmText, ATableOfThem) {
  SegmentInfo info = left_channel();
  const std::string table = table_of({info}, named_cat, info.created + seconds(7));
  EXPECT_EQ(table,
            "NAME                  SIZE     OWNER     USERS      AGE  STATE\n"
            "hotspare.studio.left  3.0 MiB  4711 cat  4711,4712  7 s  used\n");
  info.owner_state = OwnerState::ended;
  info.users.clear();
  info.users_known = false;
  EXPECT_NE(table_of({info}, named_cat, info.created).find("4711 (ended)  -  "), std::string::npos)
      << "whoever has its number now is not the owner";
  info.state = SegmentState::unregistered;
  EXPECT_NE(table_of({info}, named_cat, info.created).find("4711 (ended)  ?  "), std::string::npos);
}

TEST(ShmText, JsonHoldsWhatAProgramNeeds) {
  const std::string json = json_of({left_channel()}, named_cat);
  for (const char* part : {R"("path": "/dev/shm/hotspare.studio.left")", R"("scope": "studio")", R"("name": "left")",
                           R"("bytes": 3145728)", R"("command": "cat")", R"("pid": 4711)", R"("state": "lives")",
                           R"("users_known": true)", R"("started": 99)"})
    EXPECT_NE(json.find(part), std::string::npos) << part << " in " << json;
  EXPECT_EQ(json_of({}, named_cat), "[]\n");
}

TEST(ShmText, NamesOfStrangersForgeNoRow) {
  const auto forger = [](int) { return std::string("cat\n\x1b[2J"); };
  SegmentInfo info = left_channel();
  info.path = "/dev/shm/a\nhotspare.studio.left\x1b[31m";
  const std::string table = table_of({info}, forger, info.created);
  EXPECT_EQ(std::count(table.begin(), table.end(), '\n'), 2);
  EXPECT_EQ(table.find('\x1b'), std::string::npos) << table;
  const std::string line = line_of({SharedMemoryEvent::Kind::renamed, info, info.path}, forger);
  EXPECT_EQ(line,
            "renamed: a\\x0ahotspare.studio.left\\x1b[31m to a\\x0ahotspare.studio.left\\x1b[31m, owner 4711 "
            "cat\\x0a\\x1b[2J");
}

TEST(ShmText, ALineForEachEvent) {
  using Kind = SharedMemoryEvent::Kind;
  EXPECT_EQ(line_of({Kind::appeared, left_channel(), {}}, named_cat),
            "appeared: hotspare.studio.left, 3.0 MiB, used, owner 4711 cat");
  EXPECT_EQ(line_of({Kind::renamed, left_channel(), "/dev/shm/hotspare.studio.right"}, named_cat),
            "renamed: hotspare.studio.left to hotspare.studio.right, owner 4711 cat");
  EXPECT_EQ(line_of({Kind::removed, left_channel(), {}}, named_cat), "removed: hotspare.studio.left, owner 4711 cat");
  EXPECT_EQ(line_of({Kind::events_lost, {}, {}}, named_cat), "events were lost, there were too many at once");
}

}  // namespace
}  // namespace hotspare::cli
