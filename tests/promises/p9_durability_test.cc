#include "support/ledger.hpp"
#include "support/test_pool.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <random>
#include <sys/wait.h>
#include <thread>
#include <vector>

/// P9. With a journal, what has finished survives SIGKILL of everything; a resumed batch runs only what had not finished. A
/// damaged journal is detected, never silently read as less.
namespace hotspare::testing {
namespace {

/// A journal of its own, with all that may lie beside it.
class JournalPath {
 public:
  JournalPath() : path_("journal") {}
  ~JournalPath() {
    for (const char* end : {"-wal", "-open", "-new", "-recovering", ".values", ".damaged", ".damaged-wal"}) {
      std::error_code error;
      std::filesystem::remove_all(path_.str() + end, error);
    }
  }
  const std::string& str() const { return path_.str(); }
  operator std::filesystem::path() const { return path_.str(); }  // NOLINT(google-explicit-constructor)

 private:
  TemporaryPath path_;
};

struct Noted {
  std::string ledger;
  int number = 0;
  template <class Archive>
  void serialize(Archive& ar) {
    ar(ledger, number);
  }
};

int squared(const Noted& item) {
  Ledger::note(item.ledger, static_cast<std::size_t>(item.number));
  return item.number * item.number;
}

std::vector<Noted> items(const Ledger& ledger, int count) {
  std::vector<Noted> all;
  for (int i = 0; i < count; ++i) all.push_back({ledger.path(), i});
  return all;
}

template <class View>
std::vector<int> results(View&& view) {
  std::vector<int> all;
  for (const int each : view) all.push_back(each);
  return all;
}

std::vector<int> squares(int count) {
  std::vector<int> all(static_cast<std::size_t>(count));
  for (int i = 0; i < count; ++i) all[static_cast<std::size_t>(i)] = i * i;
  return all;
}

TEST(P9Durability, ASecondRunGivesWhatTheFirstHasFinishedAndRunsTheRest) {
  const Ledger ledger(100);
  const JournalPath journal;
  Pool pool(small_pool());
  {
    Batch batch(pool, journal);
    EXPECT_EQ(results(batch.map(squared, items(ledger, 60))), squares(60));
    batch.close();
  }
  Batch batch(pool, journal);
  EXPECT_EQ(results(batch.map(squared, items(ledger, 100))), squares(100));
  for (std::size_t i = 0; i < 100; ++i) EXPECT_EQ(ledger.runs(i), 1) << i;
  EXPECT_EQ(batch.counts().kept, 60u);
  EXPECT_EQ(batch.counts().run, 40u);
}

TEST(P9Durability, AnotherVersionIsAnotherQuestion) {
  const Ledger ledger(10);
  const JournalPath journal;
  Pool pool(small_pool());
  for (const char* version : {"1", "2", "1"}) {
    BatchOptions options;
    options.version = version;
    EXPECT_EQ(results(pool.batch(journal, options).map(squared, items(ledger, 10))), squares(10));
  }
  for (std::size_t i = 0; i < 10; ++i) EXPECT_EQ(ledger.runs(i), 2) << i;
}

TEST(P9Durability, KeysAreWhatWasAskedNeverPositions) {
  const Ledger ledger(20);
  const JournalPath journal;
  Pool pool(small_pool());
  results(pool.batch(journal).map(squared, items(ledger, 10)));
  std::vector<Noted> other = items(ledger, 20);
  std::reverse(other.begin(), other.end());
  std::vector<int> expected = squares(20);
  std::reverse(expected.begin(), expected.end());
  EXPECT_EQ(results(pool.batch(journal).map(squared, other)), expected);
  for (std::size_t i = 0; i < 20; ++i) EXPECT_EQ(ledger.runs(i), 1) << i;
}

TEST(P9Durability, EqualItemsAreAskedOnce) {
  const Ledger ledger(1);
  const JournalPath journal;
  Pool pool(small_pool());
  Batch batch(pool, journal);
  const std::vector<Noted> same(50, Noted{ledger.path(), 0});
  EXPECT_EQ(results(batch.map(squared, same)), std::vector<int>(50, 0));
  EXPECT_EQ(results(batch.as_completed(squared, same)), std::vector<int>(50, 0));
  EXPECT_EQ(ledger.runs(0), 1);
}

TEST(P9Durability, AKeyOfTheUsersStandsForTheItem) {
  const Ledger ledger(10);
  const JournalPath journal;
  Pool pool(small_pool());
  const auto last_digit = [](const Noted& item) { return item.number % 5; };
  EXPECT_EQ(results(pool.batch(journal).map(squared, items(ledger, 10), last_digit)),
            (std::vector<int>{0, 1, 4, 9, 16, 0, 1, 4, 9, 16}));
  for (std::size_t i = 0; i < 10; ++i) EXPECT_EQ(ledger.runs(i), i < 5 ? 1 : 0) << i;
}

TEST(P9Durability, WhatALambdaCapturedIsPartOfTheQuestion) {
  const JournalPath journal;
  Pool pool(small_pool());
  for (const int factor : {2, 3}) {
    const auto times = [factor](int x) { return factor * x; };
    EXPECT_EQ(results(pool.batch(journal).map(times, std::vector{1, 2})), (std::vector{factor, 2 * factor}));
  }
}

TEST(P9Durability, AsCompletedGivesEachOnce) {
  const Ledger ledger(200);
  const JournalPath journal;
  Pool pool(small_pool());
  results(pool.batch(journal).map(squared, items(ledger, 50)));
  Batch batch(pool, journal);
  EXPECT_THAT(results(batch.as_completed(squared, items(ledger, 200))),
              ::testing::UnorderedElementsAreArray(squares(200)));
  EXPECT_EQ(batch.counts().run, 150u);
}

/// 0, 1, 2, … (std::views::iota: clang 14 cannot read libstdc++'s).
class Endless {
 public:
  class Iterator {
   public:
    using value_type = int;
    using difference_type = std::ptrdiff_t;
    int operator*() const { return at_; }
    Iterator& operator++() {
      ++at_;
      return *this;
    }
    void operator++(int) { ++at_; }
    bool operator==(std::default_sentinel_t) const { return false; }

   private:
    int at_ = 0;
  };
  Iterator begin() const { return {}; }
  std::default_sentinel_t end() const { return {}; }
};

TEST(P9Durability, EndlessInputsAreFine) {
  const JournalPath journal;
  Pool pool(small_pool());
  Batch batch(pool, journal);
  for (int round = 0; round < 2; ++round) {
    int expected = 0;
    for (const int each : batch.map([](int x) { return x; }, Endless())) {
      EXPECT_EQ(each, expected);
      if (++expected == 3000) break;
    }
  }
}

// ---- failures ----

std::string fail_as(const std::string& how) {
  if (how == "raise") throw std::out_of_range("as told");
  if (how == "custom") throw std::string("thrown");
  if (how == "die") ::raise(SIGKILL);
  while (how == "hang") ::pause();
  return how;
}

/// What reading each element says, the reports among it.
std::vector<std::string> told(Batch& batch, const std::vector<std::string>& ways) {
  std::vector<std::string> all;
  auto view = batch.map(fail_as, ways);
  for (auto at = view.begin(); at != view.end(); ++at) {
    try {
      all.push_back(*at);
    } catch (const WorkerDied& error) {
      all.push_back(error.report().text() + error.report().json());
    } catch (const RemoteError& error) {
      all.push_back(error.type() + error.what() + std::to_string(error.stack().size()));
    } catch (const std::out_of_range& error) {
      all.push_back(std::string("out_of_range: ") + error.what());
    }
  }
  return all;
}

TEST(P9Durability, FailuresAreKeptWithTheirReportsAndRunAgainByKind) {
  const JournalPath journal;
  Pool pool(small_pool());
  const std::vector<std::string> ways{"fine", "raise", "custom", "die", "hang"};
  BatchOptions options;
  options.task.timeout = std::chrono::milliseconds(300);
  std::vector<std::string> first;
  {
    Batch batch(pool, journal, options);
    first = told(batch, ways);
  }
  EXPECT_THAT(first[3], ::testing::HasSubstr("SIGKILL"));
  EXPECT_THAT(first[4], ::testing::HasSubstr("deadline"));
  {
    Batch batch(pool, journal, options);
    EXPECT_EQ(told(batch, ways), first);
    EXPECT_EQ(batch.counts().run, 0u);
  }
  const std::vector<std::pair<Rerun, std::uint64_t>> kinds{
      {Rerun::raised, 2}, {Rerun::died, 1}, {Rerun::timeout, 1}, {Rerun::memory, 0}, {Rerun::failed, 4}};
  for (const auto& [rerun, runs] : kinds) {
    options.rerun = rerun;
    Batch batch(pool, journal, options);
    const auto again = told(batch, ways);
    EXPECT_EQ(batch.counts().run, runs);
    told(batch, ways);  // in one batch a failure is run again once
    EXPECT_EQ(batch.counts().run, runs);
    EXPECT_EQ(again[0], "fine");
    EXPECT_EQ(again[1], first[1]);
  }
}

TEST(P9Durability, AFailureIsGivenAgainAsTheTypeThatItWas) {
  const JournalPath journal;
  Pool pool(small_pool());
  BatchOptions options;
  options.task.timeout = std::chrono::milliseconds(300);
  for (int run = 0; run < 2; ++run) {
    Batch batch(pool, journal, options);
    auto view = batch.map(fail_as, std::vector<std::string>{"die", "hang"});
    auto at = view.begin();
    EXPECT_THROW(*at, WorkerDied);
    ++at;
    EXPECT_THROW(*at, TaskTimeout);
    EXPECT_EQ(at.was_kept(), run == 1);
  }
}

TEST(P9Durability, AQuarantinedFailureIsGivenAgainWithAllItsReports) {
  const JournalPath journal;
  PoolOptions pool_options = small_pool();
  pool_options.quarantine_deaths = 3;
  Pool pool(pool_options);
  BatchOptions options;
  options.task.retries = {.attempts = 10, .base = std::chrono::nanoseconds(0)};
  std::string first;
  for (int run = 0; run < 2; ++run) {
    Batch batch(pool, journal, options);
    auto view = batch.map(fail_as, std::vector<std::string>{"die"});
    try {
      *view.begin();
      ADD_FAILURE() << "it did not die";
    } catch (const Quarantined& error) {
      const CrashReport& report = error.report();
      EXPECT_TRUE(report.quarantined);
      ASSERT_EQ(report.earlier.size(), 2U);
      EXPECT_EQ(report.earlier[0]->attempt, 1);
      EXPECT_EQ(report.earlier[1]->attempt, 2);
      EXPECT_NE(report.earlier[0]->pid, report.earlier[1]->pid);
      const std::string told = report.text() + report.json() + report.earlier[0]->text();
      if (run == 0) first = told;
      EXPECT_EQ(told, first);
    }
    EXPECT_EQ(batch.counts().kept, run == 0 ? 0U : 1U);
  }
}

TEST(P9Durability, BuffersAndLargeValuesAreKept) {
  const JournalPath journal;
  Pool pool(small_pool());
  const auto make = [](int megabytes) {
    Buffer buffer = Buffer::make(static_cast<std::size_t>(megabytes) << 20);
    std::memset(buffer.data(), megabytes, buffer.size());
    return std::pair<Buffer, std::string>(buffer, std::string(megabytes == 0 ? 5 : 3 << 20, 'x'));
  };
  for (const std::uint64_t run : {3u, 0u}) {
    Batch batch(pool, journal);
    int megabytes = 0;
    for (const auto& [buffer, text] : batch.map(make, std::vector{0, 1, 5})) {
      EXPECT_EQ(buffer.size(), static_cast<std::size_t>(megabytes) << 20);
      EXPECT_TRUE(std::all_of(buffer.bytes().begin(), buffer.bytes().end(),
                              [&](std::byte each) { return each == static_cast<std::byte>(megabytes); }));
      EXPECT_EQ(text.size(), megabytes == 0 ? 5u : 3u << 20);
      megabytes = megabytes == 0 ? 1 : 5;
    }
    EXPECT_EQ(batch.counts().run, run);
  }
}

TEST(P9Durability, ACancelledTaskIsNotAnOutcome) {
  const Ledger ledger(100);
  const JournalPath journal;
  Pool pool(small_pool());
  {
    Batch batch(pool, journal);
    auto view = batch.map(squared, items(ledger, 100));
    auto at = view.begin();
    for (int i = 0; i < 3; ++i) ++at;
    EXPECT_EQ(*at, 9);
  }  // the view drops what has not begun
  EXPECT_EQ(results(pool.batch(journal).map(squared, items(ledger, 100))), squares(100));
}

// ---- one writer ----

TEST(P9Durability, ASecondWriterInAnotherProcessIsToldWhoHasIt) {
  const JournalPath journal;
  Pool pool(small_pool());
  Batch batch(pool, journal);
  int answer[2];
  ASSERT_EQ(::pipe2(answer, O_CLOEXEC), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    std::string said = "it could be opened";
    try {
      recover_journal(journal.str());
    } catch (const JournalError& error) {
      said = error.problem() == JournalProblem::busy ? error.what() : "another problem";
    }
    ::_exit(::write(answer[1], said.data(), said.size()) > 0 ? 0 : 1);
  }
  ::close(answer[1]);
  std::string said(1000, ' ');
  said.resize(static_cast<std::size_t>(::read(answer[0], said.data(), said.size())));
  ::close(answer[0]);
  ::waitpid(child, nullptr, 0);
  EXPECT_THAT(said, ::testing::HasSubstr("process " + std::to_string(::getpid())));
}

TEST(P9Durability, AForkOfTheHostIsRefused) {
  const JournalPath journal;
  Pool pool(small_pool());
  Batch batch(pool, journal);
  EXPECT_EQ(results(batch.map([](int x) { return x; }, std::vector{1, 2})), (std::vector{1, 2}));
  const pid_t child = ::fork();
  if (child == 0) {
    try {
      results(batch.map([](int x) { return x; }, std::vector{1}));
    } catch (const JournalError& error) {
      ::_exit(error.problem() == JournalProblem::busy ? 0 : 2);
    }
    ::_exit(1);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  EXPECT_EQ(status, 0);
  EXPECT_EQ(results(batch.map([](int x) { return x; }, std::vector{3})), std::vector{3});
}

// ---- the host is killed ----

/// Notes when a result was given: a record of it must be there from then on.
void host_of_a_batch(const std::string& journal, const std::string& ledger, const std::string& given, int count,
                     Durability durability, int tell) {
  Pool pool(small_pool());
  BatchOptions options;
  options.durability = durability;
  Batch batch(pool, journal, options);
  std::vector<Noted> all;
  for (int i = 0; i < count; ++i) all.push_back({ledger, i});
  std::size_t number = 0;
  for (const int each : batch.map(squared, all)) {
    if (each != static_cast<int>(number * number)) ::_exit(2);
    Ledger::note(given, number++);
    if (::write(tell, "x", 1) != 1) ::_exit(3);
  }
  batch.close();
  ::_exit(0);
}

/// Kills the host when it has given so many results, or lets it end.
bool run_until(const Ledger& ledger, const Ledger& given, const std::string& journal, int count, int kill_after,
               Durability durability) {
  int told[2];
  EXPECT_EQ(::pipe2(told, O_CLOEXEC), 0);
  const pid_t host = ::fork();
  if (host == 0) host_of_a_batch(journal, ledger.path(), given.path(), count, durability, told[1]);
  ::close(told[1]);
  char byte = 0;
  for (int i = 0; i != kill_after && ::read(told[0], &byte, 1) == 1; ++i) {
  }
  if (kill_after >= 0) ::kill(host, SIGKILL);
  int status = 0;
  ::waitpid(host, &status, 0);
  ::close(told[0]);
  EXPECT_TRUE(WIFSIGNALED(status) || status == 0) << status;
  return WIFEXITED(status);
}

/// Kills the host in the middle of new work, and now and then while it is given what the journal has.
void kill_often(Durability durability, int count, int kills) {
  const Ledger ledger(static_cast<std::size_t>(count));
  const JournalPath journal;
  std::mt19937 random(4);
  std::vector<int> runs_when_given(static_cast<std::size_t>(count), 0);
  int furthest = 0;
  for (int life = 0; life <= kills; ++life) {
    const Ledger given(static_cast<std::size_t>(count));
    const int ahead = static_cast<int>(random() % static_cast<unsigned>(count / kills));
    int at = std::min(count - 1, furthest + ahead);
    if (life % 4 == 3) at = static_cast<int>(random() % static_cast<unsigned>(furthest + 1));
    furthest = std::max(furthest, at);
    const bool last = life == kills;
    EXPECT_EQ(run_until(ledger, given, journal.str(), count, last ? -1 : at, durability), last);
    for (std::size_t i = 0; i < static_cast<std::size_t>(count); ++i) {
      if (given.runs(i) == 0) {
        EXPECT_FALSE(last) << i << " was never given";
      } else if (runs_when_given[i] == 0) {
        runs_when_given[i] = ledger.runs(i);
      }
      // Given once: committed, thus never run again.
      if (runs_when_given[i] != 0) {
        EXPECT_EQ(ledger.runs(i), runs_when_given[i]) << i;
      }
    }
  }
  int again = 0;
  for (std::size_t i = 0; i < static_cast<std::size_t>(count); ++i) again += ledger.runs(i) - 1;
  EXPECT_LE(again, kills * 128) << "more than were in flight at the kills";
  ::testing::Test::RecordProperty("begun_again", again);
}

TEST(P9Durability, TenKillsOfTheHostCostNoFinishedTask) { kill_often(Durability::process, 10'000, 10); }
TEST(LongP9Durability, NorTwoHundredKills) { kill_often(Durability::process, 4'000, 200); }
TEST(P9Durability, NorWithEachCommitOnTheDisk) { kill_often(Durability::power, 1'000, 10); }

// ---- damage ----

TEST(P9Durability, ADamagedJournalIsToldAndItsWholeRecordsAreSaved) {
  const Ledger ledger(100);
  const JournalPath journal;
  Pool pool(small_pool());
  results(pool.batch(journal).map(squared, items(ledger, 100)));
  std::fstream file(journal.str(), std::ios::in | std::ios::out | std::ios::binary);
  file.seekp(-300, std::ios::end);
  file.write("XXXX", 4);
  file.close();
  std::uint64_t savable = 0;
  try {
    Batch batch(pool, journal);
    ADD_FAILURE() << "it was opened";
  } catch (const JournalError& error) {
    EXPECT_EQ(error.problem(), JournalProblem::damaged);
    savable = error.savable();
    EXPECT_THAT(error.what(), ::testing::HasSubstr(std::to_string(savable) + " records in it are whole"));
  }
  EXPECT_EQ(savable, 99u);
  const Recovered done = recover_journal(journal.str());
  EXPECT_EQ(done.saved, 99u);
  EXPECT_EQ(done.lost, 1u);
  EXPECT_EQ(results(pool.batch(journal).map(squared, items(ledger, 100))), squares(100));
  int runs = 0;
  for (std::size_t i = 0; i < 100; ++i) runs += ledger.runs(i);
  EXPECT_EQ(runs, 101);
}

/// Goes on writing into the second half of each piece of shared memory that this worker may write to, as long as it lives.
void scribble_for_ever() {
  std::vector<std::pair<std::uintptr_t, std::uintptr_t>> places;
  std::ifstream maps("/proc/self/maps");
  for (std::string line; std::getline(maps, line);) {
    std::uintptr_t from = 0;
    std::uintptr_t to = 0;
    const bool payload = line.find("hotspare-payload") != std::string::npos && line.find(" rw-s ") != std::string::npos;
    if (payload && std::sscanf(line.c_str(), "%lx-%lx", &from, &to) == 2) places.emplace_back(from, to);
  }
  for (unsigned char value = 0;; ++value)
    for (const auto& [from, to] : places)
      for (std::uintptr_t at = from + (to - from) / 2; at < to; at += 512)
        *reinterpret_cast<volatile unsigned char*>(at) = value;
}

struct ScribblesLater {
  std::vector<unsigned char> bytes;
  template <class Archive>
  void save(Archive& ar) const {
    ar(bytes);
    std::thread(scribble_for_ever).detach();
  }
  template <class Archive>
  void load(Archive& ar) {
    ar(bytes);
  }
};

/// What is hashed is what is written, whatever the worker still does to the memory of its result.
TEST(P9Durability, AResultThatChangesWhileItIsCommittedIsKeptWhole) {
  const JournalPath path;
  const std::vector<int> all{1, 2, 3, 4, 5, 6};
  const auto make = [](int number) {
    return ScribblesLater{std::vector<unsigned char>(2'000'000, static_cast<unsigned char>(number))};
  };
  const auto run = [&](std::uint64_t kept) {
    Pool pool(small_pool());
    Batch batch(pool, path);
    std::size_t count = 0;
    for (const auto& result : batch.map(make, all)) {
      EXPECT_EQ(result.bytes.size(), 2'000'000u);
      ++count;
    }
    EXPECT_EQ(count, all.size());
    EXPECT_EQ(batch.counts().kept, kept);
  };
  run(0);
  run(all.size());
}

}  // namespace
}  // namespace hotspare::testing
