#pragma once

#include "journal/hold.hpp"
#include "journal/sha256.hpp"

#include <cstddef>
#include <cstdint>

/// What stands in the database, schema 1.
namespace hotspare::journal {

inline constexpr const char* create_tables =
    // Records, never changed and never deleted. No index: the newest of each key is known in memory, from the look at every
    // record that opening takes anyway.
    "CREATE TABLE record(number INTEGER PRIMARY KEY, key BLOB NOT NULL, kind INTEGER NOT NULL, form INTEGER NOT NULL,"
    " body BLOB NOT NULL, sum BLOB NOT NULL);"
    // One row: the journal's description of itself.
    "CREATE TABLE journal(one INTEGER PRIMARY KEY CHECK(one = 1), id BLOB NOT NULL, closed INTEGER NOT NULL,"
    " records INTEGER NOT NULL, sum BLOB NOT NULL);";
inline constexpr const char* insert_record =
    "INSERT INTO record(number, key, kind, form, body, sum) VALUES(?,?,?,?,?,?)";
inline constexpr const char* all_records = "SELECT number, key, kind, form, body, sum FROM record ORDER BY number";
inline constexpr const char* one_record = "SELECT number, key, kind, form, body, sum FROM record WHERE number = ?";
inline constexpr const char* read_journal = "SELECT id, closed, records, sum FROM journal";
inline constexpr const char* write_journal =
    "INSERT OR REPLACE INTO journal(one, id, closed, records, sum) VALUES(1,?,?,?,?)";

/// Over the description.
inline Digest description_sum(const JournalId& id, bool closed, std::uint64_t records) {
  Sha256 sha;
  sha.add("hotspare journal 1");
  sha.add(id);
  sha.add(std::uint64_t{closed ? 1U : 0U});
  sha.add(records);
  return sha.finish();
}

/// As SQLite writes the numbers of its own format.
inline std::uint32_t big_endian_32(const std::byte* at) {
  std::uint32_t number = 0;
  for (int i = 0; i < 4; ++i) number = number << 8 | std::to_integer<std::uint32_t>(at[i]);
  return number;
}

}  // namespace hotspare::journal
