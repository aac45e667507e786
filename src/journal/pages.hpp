#pragma once

#include "os/fd.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

/// SQLite's file format as far as it takes to find rows in a file that SQLite itself no longer reads, or reads as less than
/// was written (https://www.sqlite.org/fileformat2.html, 1.5, 1.6, 2.1 and 4).
namespace hotspare::journal {

/// The pages of a database and of its -wal file. A page may be there in several versions: all of them count, in the -wal file
/// also those behind its valid end.
class Pages {
 public:
  Pages(const std::string& database, const std::string& wal);
  std::uint32_t size() const { return size_; }
  std::uint64_t count() const { return in_database_ + frames_.size(); }
  /// Version number `index` of some page: those of the -wal file first, its newest first.
  std::vector<std::byte> version(std::uint64_t index) const;
  /// The page of that number, if there is one: the newest version, or that of the database itself.
  std::vector<std::byte> page(std::uint32_t number, bool newest) const;

 private:
  std::vector<std::byte> read(const os::Fd& fd, std::uint64_t offset) const;
  os::Fd database_, wal_;
  std::uint32_t size_ = 4096;
  std::uint64_t in_database_ = 0;
  std::vector<std::uint64_t> frames_;                           ///< Where in the -wal file, oldest first.
  std::unordered_map<std::uint32_t, std::uint64_t> newest_of_;  ///< Page number → where.
};

/// One column of a row.
struct Column {
  bool is_blob = false;
  std::int64_t number = 0;
  std::span<const std::byte> blob;
};

/// A row of a table, wherever in a page it begins.
struct Row {
  std::int64_t number = 0;  ///< The rowid.
  std::vector<std::byte> payload;
  std::vector<Column> columns;  ///< Into the payload.
};

/// The row whose cell begins at this place of a page; nothing if there can be none with this first column NULL (an INTEGER
/// PRIMARY KEY stands as that) and so many columns of which the last is a sum.
std::optional<Row> row_at(const Pages& pages, std::span<const std::byte> page, std::size_t at, bool newest);

}  // namespace hotspare::journal
