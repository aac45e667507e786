#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

struct sqlite3;
struct sqlite3_stmt;

namespace hotspare::journal {

class Database;

/// A prepared statement. One thread at a time, as its database.
class Statement {
 public:
  Statement() = default;
  Statement(Database& database, std::string_view sql);
  Statement(Statement&& other) noexcept;
  Statement& operator=(Statement&& other) noexcept;
  Statement(const Statement&) = delete;
  Statement& operator=(const Statement&) = delete;
  ~Statement();

  Statement& bind(int place, std::int64_t number);
  /// The bytes must stay until the statement has run.
  Statement& bind(int place, std::span<const std::byte> bytes);
  /// To the next row; false at the end. Throws JournalError.
  bool step();
  /// For the next run.
  void reset();
  std::int64_t number(int column) const;
  /// Valid until the next step.
  std::span<const std::byte> bytes(int column) const;

 private:
  Database* database_ = nullptr;
  sqlite3_stmt* statement_ = nullptr;
};

/// An open SQLite database. What SQLite refuses becomes a JournalError. One thread at a time.
class Database {
 public:
  enum class Open : unsigned char { existing, fresh };
  /// Throws JournalError. shown: the path for messages, if another.
  Database(const std::string& path, Open how, const std::string& shown = {});
  ~Database();
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;

  void run(const char* sql);
  /// The first column of the first row.
  std::string text(const char* sql);
  /// Whether closing moves the -wal file's content into the journal and removes it. Off at first: what is damaged is not to
  /// be changed by looking at it.
  void tidy_on_close(bool on);
  [[noreturn]] void fail(const std::string& what) const;

 private:
  friend class Statement;
  std::string shown_;
  sqlite3* handle_ = nullptr;
};

}  // namespace hotspare::journal
