#include "journal/errors.hpp"
#include "journal/journal.hpp"
#include "journal/layout.hpp"
#include "journal/recovery.hpp"

#include <algorithm>
#include <array>
#include <cstring>

/// The journal at its opening: is it one, is all of it there?
namespace hotspare::journal {

namespace {

/// What others may have put there, so that it is taken for ours or written to.
void look_for_strangers(const Paths& paths, bool of_any_user, Found& found) {
  const std::uint32_t user = os::own_user();
  for (const std::string* path : {&paths.journal, &paths.wal, &paths.hold, &paths.recovering, &paths.values}) {
    const auto link = or_refused(os::link_owner(*path), paths.journal, "cannot be looked at");
    // Large values may lie on another disk, if that is this user's wish.
    if (link && (path != &paths.values || !trusts(user, *link))) found.link = *path;
    const os::FileFacts facts = or_refused(os::file_facts(*path), paths.journal, "cannot be looked at");
    if (of_any_user || !facts.exists || trusts(user, facts.owner)) continue;
    found.strange = *path;
    found.owner = facts.owner;
  }
}

}  // namespace

Found look_at(const Paths& paths, bool hold, bool of_any_user) {
  const auto facts = [&](const std::string& path) {
    return or_refused(os::file_facts(path), paths.journal, "cannot be looked at");
  };
  Found found;
  look_for_strangers(paths, of_any_user, found);
  const os::FileFacts file = facts(paths.journal);
  found.exists = file.exists;
  found.regular = file.regular;
  found.size = file.size;
  found.wal = facts(paths.wal).size != 0;
  found.hold = hold;
  found.recovering = facts(paths.recovering).exists;
  if (!file.exists || !file.regular || !found.link.empty() || !found.strange.empty()) return found;
  const os::Fd fd = or_refused(os::open_for_reading(paths.journal), paths.journal, "cannot be read");
  std::array<std::byte, 100> head{};  // https://www.sqlite.org/fileformat.html, 1.3
  const std::size_t got = or_refused(os::read_at(fd, 0, head), paths.journal, "cannot be read");
  static constexpr char magic[16] = "SQLite format 3";
  found.sqlite = got == head.size() && std::memcmp(head.data(), magic, sizeof magic) == 0;
  found.version = big_endian_32(head.data() + 60);
  found.application = big_endian_32(head.data() + 68);
  return found;
}

Found Journal::look() const { return look_at(paths_, hold_->found().written, of_any_user_); }

/// Under another name first, so that a journal is there wholly or not at all.
void Journal::make() {
  make_journal(paths_, paths_.fresh);
  or_refused(os::rename_file(paths_.fresh, paths_.journal), paths_.journal, "cannot be made");
  or_refused(os::sync_folder(paths_.folder), paths_.journal, "its folder cannot be brought to the disk");
}

void Journal::open() {
  file_ = or_refused(os::file_facts(paths_.journal), paths_.journal, "cannot be looked at");
  Wholeness wholeness{};
  Counted counted;
  Digests named;
  try {
    counted = count(named);
    wholeness = judge(counted);
  } catch (const JournalError& error) {
    if (error.problem() != JournalProblem::damaged) throw;
    database_.reset();
    throw_unusable(JournalProblem::damaged, error.what());
  }
  if (wholeness == Wholeness::whole) {
    records_ = counted.intact;
    last_ = static_cast<std::int64_t>(records_);
    // Not before: a file that no record names may be that of one which is to be recovered.
    values_.sweep(named);
    return;
  }
  insert_ = {};
  select_ = {};
  database_.reset();
  throw_unusable(JournalProblem::damaged, explain(wholeness, counted));
}

Counted Journal::count(Digests& named) {
  Counted counted;
  counted.wal = look().wal;
  const Hold::Witness& witness = hold_->found();
  database_ = std::make_unique<Database>(paths_.journal, Database::Open::existing);
  // No other process can read it meanwhile; in return there is no shared memory file, which network file systems cannot do.
  database_->run("PRAGMA locking_mode=EXCLUSIVE");
  database_->run(power_ ? "PRAGMA synchronous=FULL" : "PRAGMA synchronous=NORMAL");
  database_->run("PRAGMA wal_autocheckpoint=4000");
  if (const std::string verdict = database_->text("PRAGMA quick_check(1)"); verdict != "ok")
    throw JournalError(JournalProblem::damaged, paths_.journal, verdict);
  counted.described = read_description(counted);
  count_records(counted, named);
  counted.hold = witness.written;
  counted.hold_intact = witness.intact;
  counted.hold_ours = witness.id == id_;
  counted.held = witness.records;
  insert_ = Statement(*database_, insert_record);
  select_ = Statement(*database_, one_record);
  return counted;
}

bool Journal::read_description(Counted& counted) {
  Statement read(*database_, read_journal);
  if (!read.step()) return false;
  const auto id = read.bytes(0);
  const auto sum = read.bytes(3);
  if (id.size() != id_.size() || read.number(2) < 0) return false;
  std::copy(id.begin(), id.end(), id_.begin());
  counted.closed = read.number(1) != 0;
  counted.records = static_cast<std::uint64_t>(read.number(2));
  const Digest expected = description_sum(id_, counted.closed, counted.records);
  return std::equal(sum.begin(), sum.end(), expected.begin(), expected.end()) && !read.step();
}

void Journal::count_records(Counted& counted, Digests& named) {
  Statement rows(*database_, all_records);
  std::int64_t next = 1;
  while (rows.step()) {
    const auto record =
        verified(sha_, {rows.number(0), rows.bytes(1), rows.number(2), rows.number(3), rows.bytes(4), rows.bytes(5)});
    const auto file = record && record->form.in_file ? FileName::read(record->body) : std::nullopt;
    const bool whole = record && (!record->form.in_file || (file && values_.has(*file)));
    if (!whole) {
      ++counted.broken;
    } else {
      if (record->number > next) counted.broken += static_cast<std::uint64_t>(record->number - next);
      next = record->number;
      ++counted.intact;
      newest_[record->key] = {record->number, record->kind};
      if (file) named.insert(file->hash);
    }
    ++next;
  }
}

void Journal::begin_use() {
  hold_->note(id_, records_);
  hold_->sync();
  const Digest sum = description_sum(id_, false, records_);
  Statement(*database_, write_journal)
      .bind(1, id_)
      .bind(2, 0)
      .bind(3, static_cast<std::int64_t>(records_))
      .bind(4, sum)
      .step();
  // Into the file itself: from now on it says that it is not whole without its -wal file. That one stays as it is, and is
  // never empty.
  database_->run("PRAGMA wal_checkpoint(PASSIVE)");
}

void Journal::throw_unusable(JournalProblem problem, const std::string& why) const {
  std::string text = "the journal " + paths_.journal + " cannot be used: " + why + ".";
  if (problem != JournalProblem::damaged && problem != JournalProblem::newer)
    throw JournalError(problem, paths_.journal, text);
  const std::uint64_t savable = count_savable(paths_);
  text += savable == 0
              ? " No record in it could be saved"
              : " " + std::to_string(savable) + (savable == 1 ? " record" : " records") +
                    " in it are whole, and recover_journal(\"" + paths_.journal +
                    "\") saves them: it puts a journal with them in the place of this one, which it keeps beside it";
  throw JournalError(problem, paths_.journal, text, savable);
}

}  // namespace hotspare::journal
