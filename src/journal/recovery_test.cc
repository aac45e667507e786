#include "journal/recovery.hpp"
#include "journal/journal_harness.hpp"

#include <gmock/gmock.h>

#include <random>

/// However a journal is spoiled: it is read as what was written or not at all, and what is whole is saved.
namespace hotspare::journal {
namespace {

using ::testing::HasSubstr;

constexpr int all = 60;

/// Opens it. Whole: every record is there. Not: says so, and the recovery saves as many as it promised.
/// Returns the records there are in the end.
int open_or_recover(const std::string& path, bool* refused = nullptr) {
  const auto error = refusal(path);
  if (refused != nullptr) *refused = error.has_value();
  if (error) {
    EXPECT_EQ(error->problem(), JournalProblem::damaged) << error->what();
    const Recovered done = recover_journal(path);
    EXPECT_EQ(done.saved, error->savable());
    EXPECT_TRUE(fs::exists(done.damaged_copy) || fs::exists(done.damaged_copy + "-wal"));
    fs::remove(done.damaged_copy);
    fs::remove(done.damaged_copy + "-wal");
  }
  Journal journal(path, Durability::process);
  const int count = intact(journal, all);
  EXPECT_EQ(journal.records(), static_cast<std::uint64_t>(count));
  if (!error) {
    EXPECT_EQ(count, all);
  }
  return count;
}

TEST(Recovery, AFlippedByteAnywhereIsNeverReadAsLess) {
  const TestFolder folder;
  const std::string path = folder.file("j");
  const Picture whole = after_a_kill(folder, all / 2, all / 2);
  std::mt19937 random(9);
  int refusals = 0;
  for (int i = 0; i < 60; ++i) {
    Picture spoiled = whole;
    std::string& file = spoiled[i % 2 == 0 ? "" : "-wal"];
    char& byte = file[random() % file.size()];
    byte = static_cast<char>(byte ^ static_cast<char>(1 + random() % 255));
    spoiled.put(path);
    bool refused = false;
    // A byte is in one page, and a page of ours has no more than some forty records.
    EXPECT_GE(open_or_recover(path, &refused), all - 45);
    refusals += refused ? 1 : 0;
  }
  EXPECT_GT(refusals, 20);
}

TEST(Recovery, AFlippedByteInARecordCostsThatOne) {
  const TestFolder folder;
  const std::string path = folder.file("j");
  Picture spoiled = after_a_kill(folder, all, 0);
  const auto body = body_of(37);  // of several pages
  const std::string needle(reinterpret_cast<const char*>(body.data()), 64);
  const auto at = spoiled[""].find(needle);
  ASSERT_NE(at, std::string::npos);
  spoiled[""][at + 10] = static_cast<char>(spoiled[""][at + 10] ^ 1);
  spoiled.put(path);
  const auto error = refusal(path);
  ASSERT_TRUE(error);
  EXPECT_EQ(error->savable(), static_cast<std::uint64_t>(all - 1));
  EXPECT_THAT(error->what(), HasSubstr("59 records in it are whole, and recover_journal(\"" + path + "\") saves them"));
  const Recovered done = recover_journal(path);
  EXPECT_EQ(done.saved, 59u);
  EXPECT_EQ(done.lost, 1u);
  EXPECT_TRUE(done.all_known);
  EXPECT_EQ(done.damaged_copy, path + ".damaged");
}

TEST(Recovery, ACutFileIsNeverReadAsLess) {
  const TestFolder folder;
  const std::string path = folder.file("j");
  const Picture whole = after_a_kill(folder, all / 2, all / 2);
  for (const char* end : {"", "-wal"}) {
    Picture spoiled = whole;
    for (std::size_t size = spoiled[end].size(); size > 0;) {
      size = size > 7000 ? size - 7000 : 0;
      spoiled[end].resize(size);
      spoiled.put(path);
      bool refused = false;
      open_or_recover(path, &refused);
      // What is cut off the file itself may stand in the -wal file, too: then nothing is missing, and that was checked.
      EXPECT_TRUE(refused || *end == 0) << end << " cut to " << size;
    }
  }
}

TEST(Recovery, AMissingFileIsNeverReadAsLess) {
  const TestFolder folder;
  const std::string path = folder.file("j");
  const Picture whole = after_a_kill(folder, all / 2, all / 2);
  const std::vector<std::vector<std::string>> missing{{"-wal"}, {"-open"},    {"-wal", "-open"},
                                                      {""},     {"", "-wal"}, {"", "-open"}};
  for (const auto& ends : missing) {
    Picture spoiled = whole;
    for (const std::string& end : ends) spoiled.drop(end);
    spoiled.put(path);
    const auto error = refusal(path);
    ASSERT_TRUE(error) << ends.front();
    EXPECT_EQ(error->problem(), JournalProblem::damaged);
    const bool has_wal = std::find(ends.begin(), ends.end(), "-wal") == ends.end();
    const bool has_file = std::find(ends.begin(), ends.end(), "") == ends.end();
    EXPECT_GE(error->savable(), has_wal ? all / 2u : has_file ? all / 2u : 0u);
    if (!has_file && !has_wal) continue;  // nothing to recover from
    EXPECT_EQ(recover_journal(path).saved, error->savable());
    fs::remove(path + ".damaged");
    fs::remove(path + ".damaged-wal");
  }
}

TEST(Recovery, AnotherJournalInItsPlaceIsKnown) {
  const TestFolder folder;
  const std::string path = folder.file("j");
  Picture mixed = after_a_kill(folder, all / 2, all / 2);
  fs::remove(folder.file("killed"));
  Picture other = after_a_kill(folder, all / 2, 0);
  mixed[""] = other[""];
  mixed.put(path);
  EXPECT_EQ(refusal(path)->problem(), JournalProblem::damaged);
}

TEST(Recovery, OverwrittenPagesCostTheirRecordsOnly) {
  const TestFolder folder;
  const std::string path = folder.file("j");
  const Picture whole = after_a_kill(folder, all, 0);
  std::mt19937 random(3);
  Picture spoiled = whole;
  const std::size_t pages = spoiled[""].size() / 4096;
  for (std::size_t page = 0; page < pages; ++page) {
    spoiled = whole;
    for (std::size_t i = 0; i < 4096; ++i) spoiled[""][page * 4096 + i] = static_cast<char>(random());
    spoiled.put(path);
    EXPECT_GE(open_or_recover(path), all - 45) << page;
  }
}

TEST(Recovery, ANewerSchemaIsSaidAndWhatIsUnderstoodIsSaved) {
  const TestFolder folder;
  const std::string path = folder.file("j");
  {
    Journal journal(path, Durability::process);
    fill(journal, 1, all);
  }
  {
    Database database(path, Database::Open::existing);
    database.tidy_on_close(true);
    database.run("ALTER TABLE record ADD COLUMN host TEXT");
    database.run("INSERT INTO record SELECT 61, key, 9, form, body, sum, 'x' FROM record WHERE number = 1");
    database.run("PRAGMA user_version=7");
  }
  const auto error = refusal(path);
  ASSERT_TRUE(error);
  EXPECT_EQ(error->problem(), JournalProblem::newer);
  EXPECT_EQ(error->savable(), static_cast<std::uint64_t>(all));
  EXPECT_THAT(error->what(), HasSubstr("schema 7, this one knows up to 1"));
  EXPECT_EQ(recover_journal(path).saved, static_cast<std::uint64_t>(all));
  Journal journal(path, Durability::process);
  EXPECT_EQ(intact(journal, all), all);
}

TEST(Recovery, InterruptedAnywhereItGoesOn) {
  const TestFolder folder;
  const std::string path = folder.file("j");
  Picture spoiled = after_a_kill(folder, all / 2, all / 2);
  spoiled["-wal"].resize(spoiled["-wal"].size() / 2);
  spoiled.put(path);
  recover_journal(path);
  const auto saved = *os::Result(os::read_whole(path));
  // Killed just before the saved one took the place.
  fs::rename(path, path + "-recovering");
  EXPECT_EQ(refusal(path)->problem(), JournalProblem::damaged);
  EXPECT_THAT(refusal(path)->what(), HasSubstr("interrupted"));
  recover_journal(path);
  EXPECT_FALSE(fs::exists(path + "-recovering"));
  EXPECT_EQ(*os::Result(os::read_whole(path)), saved);
  EXPECT_FALSE(refusal(path));
}

TEST(Recovery, AWholeJournalStaysAsItIs) {
  const TestFolder folder;
  const std::string path = folder.file("j");
  after_a_kill(folder, all / 2, all / 2).put(path);
  const Recovered done = recover_journal(path);
  EXPECT_EQ(done.saved, static_cast<std::uint64_t>(all));
  EXPECT_EQ(done.lost, 0u);
  EXPECT_TRUE(done.damaged_copy.empty());
  EXPECT_THROW(recover_journal(folder.file("none")), JournalError);
}

TEST(Recovery, AChangedLargeValueIsLeftOut) {
  const TestFolder folder;
  const std::string path = folder.file("j");
  {
    Journal journal(path, Durability::process);
    fill(journal, 1, 5);
    journal.add(key_of(6), Kind::value, false, std::vector<std::byte>(Journal::large, std::byte{6}));
    journal.add(key_of(7), Kind::value, false, std::vector<std::byte>(Journal::large, std::byte{7}));
    journal.commit();
  }
  const fs::path file = fs::directory_iterator(path + ".values")->path();
  std::fstream(file, std::ios::in | std::ios::out | std::ios::binary).put('x');
  const Recovered done = recover_journal(path);
  EXPECT_EQ(done.saved, 6u);
  EXPECT_EQ(done.lost, 1u);
  EXPECT_EQ(Journal(path, Durability::process).records(), 6u);
}

}  // namespace
}  // namespace hotspare::journal
