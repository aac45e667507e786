#include "death/report_from_json.hpp"
#include "journal/journal_harness.hpp"

/// Journals that were written once, one for each schema, and are to be read for ever. tests/journals has them.
namespace hotspare::journal {
namespace {

std::string text(const std::vector<std::byte>& bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

TEST(OldJournals, Schema1) {
  const TestFolder folder;
  const std::string path = folder.file("j");
  fs::copy_file(fs::path(HOTSPARE_TEST_JOURNALS) / "schema_1.journal", path);
  fs::permissions(path, fs::perms::owner_read | fs::perms::owner_write);
  Journal journal(path, Durability::process);
  EXPECT_EQ(journal.records(), 9u);
  const auto read = [&](int number) { return journal.read(journal.find(key_of(number))->number); };
  EXPECT_EQ(text(read(1).body), std::string(9000, 'x')) << "the newest of a key";
  EXPECT_EQ(text(read(2).body), "");
  EXPECT_EQ(read(2).kind, Kind::value);
  EXPECT_EQ(text(read(3).body), "an exception's bytes");
  EXPECT_EQ(read(3).kind, Kind::raised);
  EXPECT_TRUE(read(8).packed);

  struct Death {
    int number;
    Kind kind;
    Cause cause;
    const char* name;
  };
  for (const Death& each :
       {Death{4, Kind::died, Cause::signal, "signal"}, Death{5, Kind::died, Cause::unknown, "eaten_by_a_grue"},
        Death{6, Kind::timeout, Cause::deadline, "deadline"},
        Death{7, Kind::memory, Cause::out_of_memory, "out_of_memory"}}) {
    const Journal::Stored stored = read(each.number);
    EXPECT_EQ(stored.kind, each.kind) << each.name;
    const CrashReport report = death::report_from_json(text(stored.body));
    EXPECT_EQ(report.cause, each.cause) << each.name;
    EXPECT_EQ(report.cause_name(), each.name);
    EXPECT_EQ(report.pid, 4238 + each.number);
    EXPECT_EQ(report.stderr_tail, std::vector<std::string>{"last words"});
  }
}

}  // namespace
}  // namespace hotspare::journal
