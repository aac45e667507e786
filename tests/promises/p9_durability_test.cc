#include "support/ledger.hpp"
#include "support/test_pool.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <numeric>
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

}  // namespace
}  // namespace hotspare::testing
