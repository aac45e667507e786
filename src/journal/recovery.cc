#include "journal/recovery.hpp"

#include "journal/errors.hpp"
#include "journal/journal.hpp"
#include "journal/layout.hpp"
#include "journal/pages.hpp"
#include "os/file_size_limit.hpp"
#include "os/random.hpp"

#include <algorithm>
#include <map>

namespace hotspare::journal {
namespace {

/// Where a record that is whole was found.
struct Place {
  std::uint64_t page = 0;  ///< As Pages::version counts.
  std::size_t at = 0;
  bool newest = false;
};

struct Survey {
  std::map<std::int64_t, Place> records;
  std::optional<std::uint64_t> described;  ///< The count in the newest description that is whole.
};

std::optional<Record> record_of(Sha256& sha, const Row& row) {
  const auto& columns = row.columns;
  if (columns.size() < 6 || !columns[1].is_blob || !columns[4].is_blob || !columns[5].is_blob) return std::nullopt;
  return verified(
      sha, {row.number, columns[1].blob, columns[2].number, columns[3].number, columns[4].blob, columns[5].blob});
}

std::optional<std::uint64_t> description_of(const Row& row) {
  const auto& columns = row.columns;
  if (columns.size() != 5 || row.number != 1 || columns[1].blob.size() != sizeof(JournalId) || !columns[4].is_blob)
    return std::nullopt;
  JournalId id;
  std::copy(columns[1].blob.begin(), columns[1].blob.end(), id.begin());
  const auto records = static_cast<std::uint64_t>(columns[3].number);
  const Digest sum = description_sum(id, columns[2].number != 0, records);
  if (!std::equal(sum.begin(), sum.end(), columns[4].blob.begin(), columns[4].blob.end())) return std::nullopt;
  return records;
}

/// Every place of every page is tried, so that a page whose own head is damaged still gives its rows: the sums tell what is
/// whole.
template <class See>
void each_row(const Pages& pages, const See& see) {
  for (std::uint64_t index = 0; index < pages.count(); ++index) {
    const std::vector<std::byte> page = pages.version(index);
    for (std::size_t at = 0; at < page.size(); ++at) {
      for (const bool newest : {true, false}) {
        const auto row = row_at(pages, page, at, newest);
        if (!row || see(*row, Place{index, at, newest})) break;
      }
    }
  }
}

/// whole: says of a large value's file whether it is.
template <class Whole>
Survey survey(const Pages& pages, const Whole& whole) {
  Survey found;
  Sha256 sha;
  each_row(pages, [&](const Row& row, const Place& place) {
    if (const auto count = description_of(row); count) {
      found.described = std::max(*count, found.described.value_or(0));
      return true;
    }
    if (row.number < 1 || found.records.contains(row.number)) return row.number >= 1;
    const auto record = record_of(sha, row);
    if (!record) return false;
    const auto file = record->form.in_file ? FileName::read(record->body) : std::nullopt;
    if (!record->form.in_file || (file && whole(*file))) found.records.emplace(row.number, place);
    return true;
  });
  return found;
}

}  // namespace

std::uint64_t count_savable(const Paths& paths) {
  const Pages pages(paths.journal, paths.wal);
  const ValueFiles values(paths, false);
  return survey(pages, [&](const FileName& file) { return values.has(file); }).records.size();
}

JournalId make_journal(const Paths& paths, const std::string& as) {
  JournalId id;
  os::fill_with_random(id);
  or_refused(os::remove_file(as), paths.journal, "cannot be made");
  or_refused(os::remove_file(as + "-wal"), paths.journal, "cannot be made");
  Database database(as, Database::Open::fresh, paths.journal);
  database.tidy_on_close(true);
  database.run("PRAGMA page_size=4096");
  database.run("PRAGMA locking_mode=EXCLUSIVE");
  database.run("PRAGMA journal_mode=WAL");
  database.run("PRAGMA synchronous=FULL");
  database.run("BEGIN");
  database.run(("PRAGMA application_id=" + std::to_string(application_id)).c_str());
  database.run(("PRAGMA user_version=" + std::to_string(schema)).c_str());
  database.run(create_tables);
  const Digest sum = description_sum(id, true, 0);
  Statement(database, write_journal).bind(1, id).bind(2, 1).bind(3, 0).bind(4, sum).step();
  database.run("COMMIT");
  database.run("PRAGMA wal_checkpoint(TRUNCATE)");
  return id;
}

namespace {

/// The saved records in a new journal, numbered anew in their order, under the name `recovering`.
void write_saved(const Paths& paths, const Pages& pages, const Survey& survey) {
  const JournalId id = make_journal(paths, paths.fresh);
  {
    Database database(paths.fresh, Database::Open::existing, paths.journal);
    database.tidy_on_close(true);
    database.run("PRAGMA locking_mode=EXCLUSIVE");
    database.run("BEGIN");
    Statement insert(database, insert_record);
    Sha256 sha;
    std::int64_t number = 0;
    for (const auto& [old_number, place] : survey.records) {
      const auto row = row_at(pages, pages.version(place.page), place.at, place.newest);
      auto record = row ? record_of(sha, *row) : std::nullopt;
      if (!record)
        throw JournalError(JournalProblem::busy, paths.journal,
                           "the journal " + paths.journal + " was changed while it was read");
      record->number = ++number;
      const Digest sum = checksum(sha, *record);
      insert.bind(1, number).bind(2, record->key).bind(3, static_cast<std::int64_t>(record->kind));
      insert.bind(4, record->form.bits()).bind(5, record->body).bind(6, sum).step();
      insert.reset();
    }
    const Digest sum = description_sum(id, true, static_cast<std::uint64_t>(number));
    Statement(database, write_journal).bind(1, id).bind(2, 1).bind(3, number).bind(4, sum).step();
    database.run("COMMIT");
    database.run("PRAGMA wal_checkpoint(TRUNCATE)");
  }
  or_refused(os::rename_file(paths.fresh, paths.recovering), paths.journal, "cannot be recovered");
  or_refused(os::sync_folder(paths.folder), paths.journal, "its folder cannot be brought to the disk");
}

std::string free_name(const Paths& paths) {
  std::string name = paths.damaged;
  const auto taken = [&](const std::string& path) {
    return or_refused(os::file_facts(path), paths.journal, "cannot be recovered").exists;
  };
  for (int i = 2; taken(name) || taken(name + "-wal"); ++i) name = paths.damaged + "-" + std::to_string(i);
  return name;
}

void put_aside(const Paths& paths, const std::string& from, const std::string& to) {
  if (or_refused(os::file_facts(from), paths.journal, "cannot be recovered").exists)
    or_refused(os::rename_file(from, to), paths.journal, "cannot be recovered");
}

/// What was found makes way for what was saved. Interrupted anywhere, it goes on from there: until the last step there is
/// a file called `recovering`, and nothing else touches the journal then.
Recovered take_the_place(const Paths& paths, Hold& hold) {
  Recovered done;
  JournalId id;
  {
    Database database(paths.recovering, Database::Open::existing, paths.journal);
    database.tidy_on_close(true);
    database.run("PRAGMA locking_mode=EXCLUSIVE");
    Statement read(database, read_journal);
    if (!read.step()) throw JournalError(JournalProblem::damaged, paths.journal, paths.recovering + " is damaged");
    std::copy_n(read.bytes(0).begin(), id.size(), id.begin());
    done.saved = static_cast<std::uint64_t>(read.number(2));
  }
  done.damaged_copy = free_name(paths);
  put_aside(paths, paths.wal, done.damaged_copy + "-wal");
  put_aside(paths, paths.journal, done.damaged_copy);
  hold.note(id, done.saved);
  hold.note(id, done.saved);
  hold.sync();
  or_refused(os::rename_file(paths.recovering, paths.journal), paths.journal, "cannot be recovered");
  or_refused(os::sync_folder(paths.folder), paths.journal, "its folder cannot be brought to the disk");
  hold.release();
  return done;
}

/// Nothing if it has to be recovered.
std::optional<Recovered> already_whole(const std::string& path) {
  try {
    Journal journal(path, Durability::process, false);
    for (std::uint64_t number = 1; number <= journal.records(); ++number)
      journal.read(static_cast<std::int64_t>(number));
    Recovered nothing_to_do{journal.records(), 0, true, {}};
    journal.close();
    return nothing_to_do;
  } catch (const JournalError& error) {
    if (error.problem() != JournalProblem::damaged && error.problem() != JournalProblem::newer) throw;
    return std::nullopt;
  }
}

Recovered recover(const std::string& path) {
  const os::FileSizeErrors no_signal;
  const Paths paths(path);
  if (!os::or_throw(os::file_facts(paths.journal), "recover_journal").exists && !look_at(paths, false, false).wal &&
      !look_at(paths, false, false).recovering)
    throw JournalError(JournalProblem::refused, paths.journal, "the journal " + paths.journal + " is not there");
  if (auto whole = already_whole(path)) return *whole;
  Hold hold(paths, false);
  if (look_at(paths, false, false).recovering) return take_the_place(paths, hold);
  const Pages pages(paths.journal, paths.wal);
  const ValueFiles values(paths, false);
  const Survey found = survey(pages, [&](const FileName& file) { return values.get(file).has_value(); });
  const Hold::Witness witness = hold.found();
  write_saved(paths, pages, found);
  Recovered done = take_the_place(paths, hold);
  std::uint64_t known = found.described.value_or(0);
  if (witness.intact) known = std::max(known, witness.records);
  if (!found.records.empty()) known = std::max(known, static_cast<std::uint64_t>(found.records.rbegin()->first));
  done.all_known = witness.intact || found.described.has_value();
  done.lost = known > done.saved ? known - done.saved : 0;
  return done;
}

}  // namespace
}  // namespace hotspare::journal

namespace hotspare {

Recovered recover_journal(const std::string& path) { return journal::recover(path); }

}  // namespace hotspare
