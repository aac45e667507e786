#include "journal/journal.hpp"

#include "journal/errors.hpp"
#include "journal/layout.hpp"
#include "os/file_size_limit.hpp"

#include <utility>

namespace hotspare::journal {

Journal::Journal(const std::string& path, Durability durability, bool of_any_user)
    : paths_(path),
      power_(durability == Durability::power),
      of_any_user_(of_any_user),
      network_(os::network_file_system(
          or_refused(os::file_system_type(paths_.folder), paths_.journal, "its folder cannot be looked at"))),
      values_(paths_, power_) {
  const os::FileSizeErrors no_signal;
  hold_.emplace(paths_, of_any_user);
  const Found found = look();
  const Sight sight = judge(found);
  if (sight == Sight::create) {
    make();
  } else if (sight != Sight::open) {
    const bool foreign = sight == Sight::foreign || sight == Sight::irregular || sight == Sight::link ||
                         sight == Sight::of_another_user || (sight == Sight::no_database && !found.hold && !found.wal);
    throw_unusable(foreign                 ? JournalProblem::foreign
                   : sight == Sight::newer ? JournalProblem::newer
                                           : JournalProblem::damaged,
                   explain(sight, found));
  }
  open();
  begin_use();
}

Journal::~Journal() {
  if (!owner_.is_this()) {
    // SQLite must not be touched in a fork; what it holds belongs to the other process.
    static_cast<void>(database_.release());
    if (hold_) hold_->abandon();
    return;
  }
  try {
    close();
  } catch (const JournalError&) {
    // Told by the next one who opens it, if it matters: what was committed is safe.
  }
}

std::optional<Journal::Entry> Journal::find(const Digest& key) const {
  const auto found = newest_.find(key);
  if (found == newest_.end()) return std::nullopt;
  return found->second;
}

Journal::Stored Journal::read(std::int64_t number) {
  select_.bind(1, number);
  std::optional<Record> record;
  Stored stored;
  if (select_.step()) {
    record = verified(sha_, {select_.number(0), select_.bytes(1), select_.number(2), select_.number(3),
                             select_.bytes(4), select_.bytes(5)});
  }
  if (record) {
    stored.kind = record->kind;
    stored.packed = record->form.packed;
    if (!record->form.in_file) {
      stored.body.assign(record->body.begin(), record->body.end());
    } else if (const auto name = FileName::read(record->body); name) {
      auto body = values_.get(*name);
      if (!body) {
        record.reset();
      } else {
        stored.body = std::move(*body);
      }
    }
  }
  select_.reset();
  if (!record)
    throw_unusable(JournalProblem::damaged, "record " + std::to_string(number) + " was changed, or its large value");
  return stored;
}

void Journal::add(const Digest& key, Kind kind, bool packed, std::span<const std::byte> body) {
  const os::FileSizeErrors no_signal;
  try {
    std::vector<std::byte> name;
    if (body.size() >= large) {
      name = values_.put(body).written();
    }
    if (added_.empty()) database_->run("BEGIN IMMEDIATE");
    const Record record{
        last_ + 1, key, kind, {packed, !name.empty()}, name.empty() ? body : std::span<const std::byte>(name)};
    const Digest sum = checksum(sha_, record);
    insert_.bind(1, record.number).bind(2, record.key).bind(3, static_cast<std::int64_t>(record.kind));
    insert_.bind(4, record.form.bits()).bind(5, record.body).bind(6, sum);
    insert_.step();
    insert_.reset();
    added_.push_back({key, {++last_, kind}});
  } catch (...) {
    roll_back();
    throw;
  }
}

void Journal::commit() {
  if (added_.empty()) return;
  const os::FileSizeErrors no_signal;
  try {
    values_.sync_names();
    database_->run("COMMIT");
  } catch (...) {
    roll_back();
    throw;
  }
  records_ = static_cast<std::uint64_t>(last_);
  committed_.insert(committed_.end(), added_.begin(), added_.end());
  added_.clear();
  check_in_place();
  hold_->note(id_, records_);
}

void Journal::publish() {
  for (const Added& each : committed_) newest_[each.key] = each.entry;
  committed_.clear();
}

void Journal::roll_back() noexcept {
  try {
    insert_.reset();
    database_->run("ROLLBACK");
  } catch (const JournalError&) {
    // SQLite has rolled it back already.
  }
  added_.clear();
  last_ = static_cast<std::int64_t>(records_);
}

/// A commit into a file that has lost its name would be a commit into nothing.
void Journal::check_in_place() const {
  auto now = os::file_facts(paths_.journal);
  if (now && now->is(file_)) return;
  throw JournalError(
      JournalProblem::damaged, paths_.journal,
      "the journal " + paths_.journal +
          " was moved, deleted or replaced while it was in use. What was committed is in the file that was "
          "moved; its -wal file still has the old name");
}

void Journal::close() {
  if (database_ == nullptr) return;
  const os::FileSizeErrors no_signal;
  const std::unique_ptr<Database> database = std::move(database_);
  const auto finish = [&] {
    insert_ = {};
    select_ = {};
  };
  try {
    check_in_place();
    Statement write(*database, write_journal);
    const Digest sum = description_sum(id_, true, records_);
    write.bind(1, id_).bind(2, 1).bind(3, static_cast<std::int64_t>(records_)).bind(4, sum).step();
    write = {};
    database->run("PRAGMA wal_checkpoint(TRUNCATE)");
  } catch (...) {
    finish();
    throw;
  }
  finish();
  database->tidy_on_close(true);
  const_cast<std::unique_ptr<Database>&>(database).reset();
  hold_->release();
}

}  // namespace hotspare::journal
