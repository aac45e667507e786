#include "journal/judge.hpp"

namespace hotspare::journal {

Sight judge(const Found& found) {
  if (!found.link.empty()) return Sight::link;
  if (!found.strange.empty()) return Sight::of_another_user;
  if (found.recovering) return Sight::half_recovered;
  if (!found.exists) return found.wal || found.hold ? Sight::missing : Sight::create;
  if (!found.regular) return Sight::irregular;
  if (found.size == 0) return Sight::empty;
  if (!found.sqlite) return Sight::no_database;
  if (found.application != application_id) return Sight::foreign;
  if (found.version > schema) return Sight::newer;
  if (found.wal && !found.hold) return Sight::lone_wal;
  return Sight::open;
}

std::string explain(Sight sight, const Found& found) {
  switch (sight) {
    case Sight::create:
    case Sight::open: return {};
    case Sight::half_recovered: return "a recovery of it was interrupted; recover it again, and that goes on";
    case Sight::missing:
      return "the file itself is missing, but files that belong to it are there (-wal or -open): it was moved or "
             "deleted "
             "without them. Put it back, or delete them if all of it is to go";
    case Sight::empty:
      return "the file is empty. If it never was a journal, delete it; if it was, its records are gone";
    case Sight::irregular: return "it is no regular file";
    case Sight::no_database:
      return found.hold
                 ? "its first bytes are overwritten: it no longer looks like an SQLite database"
                 : "it is no journal: it does not look like an SQLite database, or its first bytes are overwritten";
    case Sight::foreign:
      return "it is an SQLite database, but not a journal of hotspare (its application id is another's). It was not "
             "touched";
    case Sight::newer:
      return "a newer hotspare wrote it (schema " + std::to_string(found.version) + ", this one knows up to " +
             std::to_string(schema) + "). Use that version";
    case Sight::lone_wal:
      return "it was in use when it was last written, and the file beside it whose name ends in -open is gone: nobody "
             "can "
             "tell how many records there were. Were all its files copied?";
    case Sight::link:
      return found.link + " is a symbolic link, and to write there could destroy another file. Remove it";
    case Sight::of_another_user:
      return found.strange + " belongs to user " + std::to_string(found.owner) +
             ", who could have written anything into it, and its results would be taken for those of this batch "
             "(Python unpickles them, which may run anything as this user). If that one is to be trusted, say "
             "of_any_user, or have it belong to this user (chown)";
  }
  return {};
}

Wholeness judge(const Counted& counted) {
  if (!counted.described) return Wholeness::no_description;
  if (counted.broken != 0) return Wholeness::broken_records;
  if (counted.hold_intact && !counted.hold_ours) return Wholeness::other_hold;
  if (counted.intact < counted.records) return Wholeness::fewer_than_closed;
  if (counted.hold_intact && counted.intact < counted.held) return Wholeness::fewer_than_held;
  // Closed in order: the count is that of the description, and nothing else was ever written.
  if (counted.closed) return counted.intact > counted.records ? Wholeness::no_description : Wholeness::whole;
  if (!counted.wal) return Wholeness::no_wal;
  return counted.hold_intact ? Wholeness::whole : Wholeness::no_hold;
}

std::string explain(Wholeness wholeness, const Counted& counted) {
  const auto of = [&](std::uint64_t all) {
    return std::to_string(counted.intact) + " of " + std::to_string(all) + " records";
  };
  switch (wholeness) {
    case Wholeness::whole: return {};
    case Wholeness::no_description: return "its description of itself was changed";
    case Wholeness::broken_records:
      return std::to_string(counted.broken) +
             " of its records were changed, or their files in the folder of large values "
             "were";
    case Wholeness::fewer_than_closed: return "only " + of(counted.records) + " are there";
    case Wholeness::fewer_than_held:
      return "only " + of(counted.held) +
             " are there: its -wal file was cut, changed or removed, or a power cut took them (durability \"process\" "
             "does "
             "not promise that it can't)";
    case Wholeness::no_wal:
      return "it was in use when it was last written, and its -wal file is gone: what was committed last was in there. "
             "Was "
             "it copied without it?";
    case Wholeness::no_hold: return explain(Sight::lone_wal, {});
    case Wholeness::other_hold: return "it was replaced by another journal while it was in use";
  }
  return {};
}

}  // namespace hotspare::journal
