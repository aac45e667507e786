#pragma once

#include <cstdint>
#include <string>

/// Whether a journal may be used, as pure functions of what was found.
namespace hotspare::journal {

inline constexpr std::uint32_t application_id = 0x68537052;  // "hSpR", at offset 68 of the file
inline constexpr std::uint32_t schema = 1;                   // user_version, at offset 60

/// What lies on the disk, before SQLite has looked at it: by looking it could change what is not ours.
struct Found {
  bool exists = false;
  bool regular = true;
  std::uint64_t size = 0;
  bool sqlite = false;  ///< The first bytes are those of an SQLite database.
  std::uint32_t application = 0;
  std::uint32_t version = 0;
  bool wal = false;         ///< A -wal file that is not empty.
  bool hold = false;        ///< An -open file that was written to: it was in use, and nobody closed it.
  bool recovering = false;  ///< What an interrupted recovery has saved.
  std::string link;         ///< Of the files beside it, one that is a symbolic link.
  std::string strange;      ///< Of it and the files beside it, one that belongs to another user who is not trusted,
  std::uint32_t owner = 0;  ///< to this one.
};
/// Whether files of that user are taken for the work of this one's processes. Root could write into all of them anyway.
constexpr bool trusts(std::uint32_t this_user, std::uint32_t owner) { return owner == this_user || owner == 0; }

enum class Sight : unsigned char {
  create,  ///< Nothing is there.
  open,    ///< It looks like a journal.
  half_recovered,
  missing,  ///< It is not there, but files that belong to it are.
  empty,
  irregular,
  no_database,
  foreign,
  newer,
  lone_wal,  ///< A -wal file without its -open file.
  link,
  of_another_user,
};
Sight judge(const Found& found);
std::string explain(Sight sight, const Found& found);

/// What the records themselves say.
struct Counted {
  bool described = false;     ///< The journal's description of itself is whole.
  bool closed = false;        ///< By that description: closed after its last use,
  std::uint64_t records = 0;  ///< with so many records.
  std::uint64_t intact = 0;   ///< Records 1 to n that are whole, without a gap.
  std::uint64_t broken = 0;   ///< Others, and big values whose file is not there.
  bool wal = false;           ///< As above, when it was opened.
  bool hold = false;          ///< There was an -open file that was written to
  bool hold_intact = false;   ///< and is whole,
  bool hold_ours = false;     ///< and is of this journal,
  std::uint64_t held = 0;     ///< and knows of so many records.
};

enum class Wholeness : unsigned char {
  whole,
  no_description,
  broken_records,
  fewer_than_closed,  ///< Fewer records than it was closed with.
  fewer_than_held,    ///< Fewer records than the -open file knows of.
  no_wal,             ///< It was in use, and its -wal file is gone.
  no_hold,            ///< It was in use, and its -open file is gone: nobody knows how many there were.
  other_hold,         ///< The -open file is that of another journal.
};
Wholeness judge(const Counted& counted);
std::string explain(Wholeness wholeness, const Counted& counted);

}  // namespace hotspare::journal
