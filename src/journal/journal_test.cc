#include "journal/journal_harness.hpp"

#include <gmock/gmock.h>
#include <sqlite3.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <csignal>
#include <cstring>

namespace hotspare::journal {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

TEST(Journal, ClosedItIsOneFileAndHasWhatWasCommitted) {
  const TestFolder folder;
  const std::string path = folder.file("j");
  {
    Journal journal(path, Durability::process);
    fill(journal, 1, 100);
    journal.close();
  }
  EXPECT_THAT(folder.names(), ElementsAre("j"));
  Journal journal(path, Durability::power);
  EXPECT_EQ(journal.records(), 100u);
  EXPECT_EQ(intact(journal, 101), 100);
}

TEST(Journal, WhatWasNotCommittedIsNotThere) {
  const TestFolder folder;
  const std::string path = folder.file("j");
  {
    Journal journal(path, Durability::process);
    fill(journal, 1, 5);
    journal.add(key_of(6), Kind::value, false, body_of(6));
  }
  Journal journal(path, Durability::process);
  EXPECT_EQ(intact(journal, 10), 5);
}

TEST(Journal, TheNewestRecordOfAKeyCounts) {
  const TestFolder folder;
  const std::string path = folder.file("j");
  {
    Journal journal(path, Durability::process);
    journal.add(key_of(1), Kind::died, false, body_of(1));
    journal.add(key_of(2), Kind::value, false, body_of(2));
    journal.add(key_of(1), Kind::value, false, body_of(3));
    journal.commit();
  }
  Journal journal(path, Durability::process);
  EXPECT_EQ(journal.find(key_of(1))->kind, Kind::value);
  EXPECT_EQ(journal.read(journal.find(key_of(1))->number).body, body_of(3));
}

TEST(Journal, AfterAKillAtAnyMomentTheCommittedIsThere) {
  const TestFolder folder;
  const std::string path = folder.file("j");
  for (const int closed : {0, 40}) {
    for (const int open : {0, 1, 25}) {
      after_a_kill(folder, closed, open).put(path);
      {
        Journal journal(path, Durability::process);
        EXPECT_EQ(intact(journal, 100), closed + open);
        fill(journal, 90, 95);
      }
      Journal journal(path, Durability::process);
      EXPECT_EQ(intact(journal, 100), closed + open + 6);
      fs::remove(folder.file("killed"));
    }
  }
}

TEST(Journal, ASecondWriterIsToldWhoHasIt) {
  const TestFolder folder;
  const std::string path = folder.file("j");
  Journal journal(path, Durability::process);
  const auto error = refusal(path);
  ASSERT_TRUE(error);
  EXPECT_EQ(error->problem(), JournalProblem::busy);
  EXPECT_THAT(error->what(), HasSubstr("process " + std::to_string(::getpid()) + " on "));
  EXPECT_THAT(error->what(), HasSubstr(path));
  fill(journal, 1, 5);  // undisturbed
  // By another name it is the same one.
  fs::create_symlink(path, folder.file("link"));
  EXPECT_EQ(refusal(folder.file("link"))->problem(), JournalProblem::busy);
}

TEST(Journal, AForkNeitherHoldsNorHarmsIt) {
  const TestFolder folder;
  const std::string path = folder.file("j");
  int gate[2];
  ASSERT_EQ(::pipe(gate), 0);
  auto journal = std::make_unique<Journal>(path, Durability::process);
  fill(*journal, 1, 5);
  const pid_t child = ::fork();
  if (child == 0) {
    ::close(gate[1]);
    char byte = 0;
    const bool ended = ::read(gate[0], &byte, 1) == 0;
    journal.reset();  // as an exiting program would
    ::_exit(ended ? 0 : 1);
  }
  ::close(gate[0]);
  fill(*journal, 6, 10);
  journal->close();
  journal = std::make_unique<Journal>(path, Durability::process);  // while the fork lives
  ::close(gate[1]);
  int status = 0;
  ::waitpid(child, &status, 0);
  EXPECT_EQ(status, 0);
  fill(*journal, 11, 15);
  journal.reset();
  EXPECT_EQ(Journal(path, Durability::process).records(), 15u);
}

TEST(Journal, LargeValuesLieBesideItAndOrphansGo) {
  const TestFolder folder;
  const std::string path = folder.file("j");
  std::vector<std::byte> large(Journal::large + 5, std::byte{7});
  {
    Journal journal(path, Durability::power);
    journal.add(key_of(1), Kind::value, false, large);
    journal.add(key_of(2), Kind::value, false, large);  // the same bytes: one file
    journal.commit();
  }
  const std::string values = path + ".values/";
  ASSERT_EQ(std::distance(fs::directory_iterator(values), {}), 1);
  std::ofstream(values + std::string(64, 'a')) << "of a killed process";
  std::ofstream(values + std::string(64, 'b') + ".new") << "the same";
  std::ofstream(values + "notes.txt") << "somebody's";
  {
    Journal journal(path, Durability::process);
    EXPECT_EQ(journal.read(journal.find(key_of(2))->number).body, large);
  }
  EXPECT_FALSE(fs::exists(values + std::string(64, 'a')));
  EXPECT_FALSE(fs::exists(values + std::string(64, 'b') + ".new"));
  EXPECT_TRUE(fs::exists(values + "notes.txt"));
}

TEST(Journal, AChangedLargeValueIsToldWhenItIsReadAMissingOneAtOnce) {
  const TestFolder folder;
  const std::string path = folder.file("j");
  const std::vector<std::byte> large(Journal::large, std::byte{7});
  {
    Journal journal(path, Durability::process);
    journal.add(key_of(1), Kind::value, false, large);
    journal.commit();
  }
  const fs::path file = fs::directory_iterator(path + ".values")->path();
  std::fstream(file, std::ios::in | std::ios::out | std::ios::binary).put('x');
  {
    Journal journal(path, Durability::process);
    EXPECT_THROW(journal.read(1), JournalError);
  }
  fs::remove(file);
  EXPECT_EQ(refusal(path)->problem(), JournalProblem::damaged);
}

TEST(Journal, ADamagedLargeValueIsNotTakenForAnEqualOne) {
  const TestFolder folder;
  const std::string path = folder.file("j");
  const std::vector<std::byte> large(Journal::large, std::byte{7});
  Journal journal(path, Durability::process);
  journal.add(key_of(1), Kind::value, false, large);
  journal.commit();
  std::fstream(fs::directory_iterator(path + ".values")->path(), std::ios::in | std::ios::out | std::ios::binary)
      .put('x');
  journal.add(key_of(2), Kind::value, false, large);
  journal.commit();
  EXPECT_EQ(journal.read(2).body, large);
  EXPECT_EQ(journal.read(1).body, large);
}

TEST(Journal, WhatIsSomebodyElsesIsNotTouched) {
  const TestFolder folder;
  const std::string path = folder.file("theirs");
  sqlite3* database = nullptr;
  ASSERT_EQ(sqlite3_open(path.c_str(), &database), SQLITE_OK);
  sqlite3_exec(database, "CREATE TABLE record(x); INSERT INTO record VALUES(1)", nullptr, nullptr, nullptr);
  sqlite3_close(database);
  const auto before = os::read_whole(path);
  EXPECT_EQ(refusal(path)->problem(), JournalProblem::foreign);
  EXPECT_THROW(recover_journal(path), JournalError);
  EXPECT_EQ(*os::read_whole(path), *os::Result(before));
  EXPECT_THAT(folder.names(), ElementsAre("theirs"));

  std::ofstream(folder.file("text")) << std::string(5000, 'x');
  EXPECT_EQ(refusal(folder.file("text"))->problem(), JournalProblem::foreign);
  EXPECT_EQ(refusal(folder.file(""))->problem(), JournalProblem::foreign);
  EXPECT_EQ(refusal(folder.file("no/such/folder/j"))->problem(), JournalProblem::refused);
}

TEST(Journal, MovedWhileInUseItSaysSo) {
  const TestFolder folder;
  const std::string path = folder.file("j");
  Journal journal(path, Durability::process);
  fill(journal, 1, 5);
  fs::rename(path, folder.file("elsewhere"));
  journal.add(key_of(6), Kind::value, false, body_of(6));
  EXPECT_THROW(journal.commit(), JournalError);
}

/// A file size limit stands for a full disk: the kernel refuses in the same place.
TEST(Journal, FullItSaysSoAndGoesOnWhenThereIsRoom) {
  const TestFolder folder;
  const std::string path = folder.file("j");
  int committed = 0;
  {
    Journal journal(path, Durability::process);
    rlimit before{};
    ::getrlimit(RLIMIT_FSIZE, &before);
    const rlimit small{300'000, before.rlim_max};
    ::setrlimit(RLIMIT_FSIZE, &small);
    try {
      for (int i = 1; i <= 1000; ++i) {
        fill(journal, i, i);
        committed = i;
      }
      ADD_FAILURE() << "it was never full";
    } catch (const JournalError& error) {
      EXPECT_EQ(error.problem(), JournalProblem::full);
      EXPECT_THAT(error.what(), HasSubstr("make room"));
    }
    ::setrlimit(RLIMIT_FSIZE, &before);
    // Nobody closed it, as in a program that ends by that exception in a process that has no room either.
    Picture::of(path).put(folder.file("copy"));
  }
  for (const char* name : {"j", "copy"}) {
    Journal journal(folder.file(name), Durability::process);
    EXPECT_EQ(intact(journal, 1000), committed);
    fill(journal, 1001, 1010);
    EXPECT_EQ(intact(journal, 1010), committed + 10);
  }
}

/// Opening this is refused as foreign, in these words; what is there stays as it is.
void expect_foreign(const std::string& path, const std::string& words, bool of_any_user = false) {
  try {
    const Journal journal(path, Durability::process, of_any_user);
    ADD_FAILURE() << "it was opened";
  } catch (const JournalError& error) {
    EXPECT_EQ(error.problem(), JournalProblem::foreign) << error.what();
    EXPECT_THAT(error.what(), HasSubstr(words));
  }
}

std::string text_of(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

TEST(Journal, ALinkInPlaceOfAFileOfItsOwnIsNotFollowed) {
  for (const bool exists : {false, true}) {
    for (const char* const which : {"-open", "-wal", "-recovering"}) {
      const TestFolder folder;
      const std::string path = folder.file("j");
      if (exists) {
        Journal journal(path, Durability::process);
        fill(journal, 1, 10);
      }
      const std::string precious = std::string(1000, 'x');
      std::ofstream(folder.file("victim")) << precious;
      for (const char* const to : {"victim", "nothing"}) {
        fs::remove(path + which);
        fs::create_symlink(folder.file(to), path + which);
        expect_foreign(path, "symbolic link", true);
        EXPECT_EQ(text_of(folder.file("victim")), precious);
        EXPECT_FALSE(fs::exists(folder.file("nothing")));
      }
      fs::remove(path + which);
      Journal journal(path, Durability::process);
      EXPECT_EQ(journal.records(), exists ? 10u : 0u);
    }
  }
}

TEST(Journal, AnotherFileInPlaceOfTheOneThatLocksItIsNotOverwritten) {
  const TestFolder folder;
  const std::string path = folder.file("j");
  std::ofstream(folder.file("victim")) << "precious words";
  fs::create_hard_link(folder.file("victim"), path + "-open");
  expect_foreign(path, "move it away");
  EXPECT_EQ(text_of(folder.file("victim")), "precious words");
  fs::remove(path + "-open");
  ASSERT_EQ(::mkfifo((path + "-open").c_str(), 0600), 0);
  expect_foreign(path, "move it away");
}

TEST(Journal, OneOfAnotherUserIsRefusedUnlessThatOneIsTrusted) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root can give files to others";
  for (const char* const which : {"", "-wal", "-open"}) {
    const TestFolder folder;
    const std::string path = folder.file("j");
    {
      Journal journal(path, Durability::process);
      fill(journal, 1, 10);
      Picture::of(path).put(folder.file("copy"));
    }
    ASSERT_EQ(::chown((folder.file("copy") + which).c_str(), 65534, 65534), 0);
    expect_foreign(folder.file("copy"), "belongs to user 65534");
    Journal journal(folder.file("copy"), Durability::process, true);
    EXPECT_EQ(intact(journal, 10), 10);
  }
}

}  // namespace
}  // namespace hotspare::journal
