#include "journal/judge.hpp"

#include <gtest/gtest.h>

#include <vector>

namespace hotspare::journal {
namespace {

Found ours() {
  Found found;
  found.exists = true;
  found.size = 4096;
  found.sqlite = true;
  found.application = application_id;
  found.version = schema;
  return found;
}

template <class Facts, class Change>
Facts with(Facts facts, Change change) {
  change(facts);
  return facts;
}

TEST(JudgeSight, Table) {
  struct Line {
    const char* what;
    Found found;
    Sight sight;
  };
  const std::vector<Line> lines{
      {"nothing", {}, Sight::create},
      {"closed", ours(), Sight::open},
      {"killed", with(ours(), [](Found& f) { f.wal = f.hold = true; }), Sight::open},
      {"killed at its opening", with(ours(), [](Found& f) { f.hold = true; }), Sight::open},
      {"older schema", with(ours(), [](Found& f) { f.version = 0; }), Sight::open},
      {"empty", with(ours(), [](Found& f) { f.size = 0; }), Sight::empty},
      {"folder", with(ours(), [](Found& f) { f.regular = false; }), Sight::irregular},
      {"random bytes", with(ours(), [](Found& f) { f.sqlite = false; }), Sight::no_database},
      {"another's database", with(ours(), [](Found& f) { f.application = 7; }), Sight::foreign},
      {"newer", with(ours(), [](Found& f) { f.version = schema + 1; }), Sight::newer},
      {"newer, of another", with(ours(), [](Found& f) { f.version = 9, f.application = 7; }), Sight::foreign},
      {"-wal alone", with(ours(), [](Found& f) { f.wal = true; }), Sight::lone_wal},
      {"gone, -wal left", with(Found{}, [](Found& f) { f.wal = true; }), Sight::missing},
      {"gone, -open left", with(Found{}, [](Found& f) { f.hold = true; }), Sight::missing},
      {"half recovered", with(ours(), [](Found& f) { f.recovering = true; }), Sight::half_recovered},
      {"a link beside it", with(ours(), [](Found& f) { f.link = "j-wal"; }), Sight::link},
      {"a link beside nothing", with(Found{}, [](Found& f) { f.link = "j-open"; }), Sight::link},
      {"another user's", with(ours(), [](Found& f) { f.strange = "j"; }), Sight::of_another_user},
      {"another user's, half recovered", with(ours(), [](Found& f) { f.strange = "j", f.recovering = true; }),
       Sight::of_another_user},
      {"half recovered, moved", with(Found{}, [](Found& f) { f.recovering = true; }), Sight::half_recovered},
  };
  for (const Line& line : lines) {
    EXPECT_EQ(judge(line.found), line.sight) << line.what;
    const bool fine = line.sight == Sight::create || line.sight == Sight::open;
    EXPECT_EQ(explain(line.sight, line.found).empty(), fine) << line.what;
  }
}

TEST(JudgeSight, ThisUserAndRootAreTrusted) {
  EXPECT_TRUE(trusts(1000, 1000));
  EXPECT_TRUE(trusts(1000, 0));
  EXPECT_FALSE(trusts(1000, 1001));
  EXPECT_FALSE(trusts(0, 1000));
  EXPECT_TRUE(trusts(0, 0));
}

Counted closed() {
  Counted counted;
  counted.described = counted.closed = true;
  counted.records = counted.intact = 10;
  return counted;
}
Counted killed() {
  Counted counted;
  counted.described = counted.wal = counted.hold = counted.hold_intact = counted.hold_ours = true;
  counted.records = 10;
  counted.intact = counted.held = 30;
  return counted;
}

TEST(JudgeWholeness, Table) {
  using C = Counted;
  struct Line {
    const char* what;
    Counted counted;
    Wholeness wholeness;
  };
  const std::vector<Line> lines{
      {"closed", closed(), Wholeness::whole},
      {"killed", killed(), Wholeness::whole},
      {"killed between commit and note", with(killed(), [](C& c) { c.intact = 31; }), Wholeness::whole},
      {"killed while it was closed", with(killed(), [](C& c) { c.closed = true, c.records = 30; }), Wholeness::whole},
      {"the same, -wal gone already", with(killed(), [](C& c) { c.closed = true, c.records = 30, c.wal = false; }),
       Wholeness::whole},
      {"closed, -open of a later use",
       with(closed(), [](C& c) { c.hold = c.hold_intact = c.hold_ours = true, c.held = 12; }),
       Wholeness::fewer_than_held},
      {"no description", with(closed(), [](C& c) { c.described = false; }), Wholeness::no_description},
      {"more than it was closed with", with(closed(), [](C& c) { c.intact = 11; }), Wholeness::no_description},
      {"broken", with(killed(), [](C& c) { c.broken = 1; }), Wholeness::broken_records},
      {"cut when closed", with(closed(), [](C& c) { c.intact = 9; }), Wholeness::fewer_than_closed},
      {"-wal cut", with(killed(), [](C& c) { c.intact = 29; }), Wholeness::fewer_than_held},
      {"-wal gone", with(killed(), [](C& c) { c.intact = c.held = 10, c.wal = false; }), Wholeness::no_wal},
      {"-open gone", with(killed(), [](C& c) { c.hold = c.hold_intact = false; }), Wholeness::no_hold},
      {"-open unreadable", with(killed(), [](C& c) { c.hold_intact = false; }), Wholeness::no_hold},
      {"replaced", with(killed(), [](C& c) { c.hold_ours = false; }), Wholeness::other_hold},
  };
  for (const Line& line : lines) {
    EXPECT_EQ(judge(line.counted), line.wholeness) << line.what;
    EXPECT_EQ(explain(line.wholeness, line.counted).empty(), line.wholeness == Wholeness::whole) << line.what;
  }
}

}  // namespace
}  // namespace hotspare::journal
