#include "journal/database.hpp"

#include "journal/errors.hpp"

#include <cstring>
#include <sqlite3.h>
#include <utility>

namespace hotspare::journal {
namespace {

JournalProblem problem_of(int code, int system_errno) {
  switch (code & 0xff) {
    case SQLITE_FULL: return JournalProblem::full;
    case SQLITE_BUSY:
    case SQLITE_LOCKED: return JournalProblem::busy;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
    case SQLITE_SCHEMA:
    case SQLITE_MISMATCH:
    case SQLITE_ERROR: return JournalProblem::damaged;  // "no such table", say: the application id was ours
    case SQLITE_IOERR:
      // A file that is shorter than its pages say.
      if (code == SQLITE_IOERR_SHORT_READ) return JournalProblem::damaged;
      return no_room(system_errno) ? JournalProblem::full : JournalProblem::refused;
    default: return JournalProblem::refused;
  }
}

int last_errno(sqlite3_file* file) {
  int code = 0;
  if (file != nullptr && file->pMethods != nullptr) file->pMethods->xFileControl(file, SQLITE_FCNTL_LAST_ERRNO, &code);
  return code;
}

/// The errno behind an SQLITE_IOERR: SQLite tells a full disk, but calls a quota or file size limit an I/O error.
int system_errno_of(sqlite3* handle) {
  for (const int which : {SQLITE_FCNTL_JOURNAL_POINTER, SQLITE_FCNTL_FILE_POINTER}) {
    sqlite3_file* file = nullptr;
    if (sqlite3_file_control(handle, "main", which, &file) != SQLITE_OK) continue;
    if (const int code = last_errno(file); code != 0) return code;
  }
  return sqlite3_system_errno(handle);
}

}  // namespace

Statement::Statement(Database& database, std::string_view sql) : database_(&database) {
  if (sqlite3_prepare_v3(database.handle_, sql.data(), static_cast<int>(sql.size()), SQLITE_PREPARE_PERSISTENT,
                         &statement_, nullptr) != SQLITE_OK)
    database.fail("cannot be read");
}
Statement::Statement(Statement&& other) noexcept
    : database_(other.database_), statement_(std::exchange(other.statement_, nullptr)) {}
Statement& Statement::operator=(Statement&& other) noexcept {
  std::swap(database_, other.database_);
  std::swap(statement_, other.statement_);
  return *this;
}
Statement::~Statement() { sqlite3_finalize(statement_); }

Statement& Statement::bind(int place, std::int64_t number) {
  if (sqlite3_bind_int64(statement_, place, number) != SQLITE_OK) database_->fail("cannot be written");
  return *this;
}
Statement& Statement::bind(int place, std::span<const std::byte> bytes) {
  // A null pointer would be NULL, not a blob without bytes.
  const void* const from = bytes.empty() ? static_cast<const void*>("") : bytes.data();
  if (sqlite3_bind_blob64(statement_, place, from, bytes.size(), SQLITE_STATIC) != SQLITE_OK)
    database_->fail("cannot be written");
  return *this;
}

bool Statement::step() {
  const int code = sqlite3_step(statement_);
  if (code == SQLITE_ROW) return true;
  if (code != SQLITE_DONE)
    database_->fail(sqlite3_stmt_readonly(statement_) != 0 ? "cannot be read" : "cannot be written");
  return false;
}

void Statement::reset() {
  sqlite3_reset(statement_);
  sqlite3_clear_bindings(statement_);
}

std::int64_t Statement::number(int column) const { return sqlite3_column_int64(statement_, column); }
std::span<const std::byte> Statement::bytes(int column) const {
  const auto* const from = static_cast<const std::byte*>(sqlite3_column_blob(statement_, column));
  return {from, static_cast<std::size_t>(sqlite3_column_bytes(statement_, column))};
}

Database::Database(const std::string& path, Open how, const std::string& shown) : shown_(shown.empty() ? path : shown) {
  const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE | SQLITE_OPEN_NOFOLLOW |
                    (how == Open::fresh ? SQLITE_OPEN_CREATE : 0);
  if (sqlite3_open_v2(path.c_str(), &handle_, flags, nullptr) != SQLITE_OK) {
    try {
      fail("cannot be opened");
    } catch (...) {
      sqlite3_close(handle_);
      throw;
    }
  }
  tidy_on_close(false);
}

Database::~Database() {
  if (handle_ != nullptr) sqlite3_close_v2(handle_);
}

void Database::run(const char* sql) {
  if (sqlite3_exec(handle_, sql, nullptr, nullptr, nullptr) != SQLITE_OK) fail(std::string("refuses ") + sql);
}

std::string Database::text(const char* sql) {
  Statement statement(*this, sql);
  if (!statement.step()) return {};
  const auto bytes = statement.bytes(0);
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

void Database::tidy_on_close(bool on) {
  int now = 0;
  sqlite3_db_config(handle_, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, on ? 0 : 1, &now);
}

void Database::fail(const std::string& what) const {
  const int code = handle_ == nullptr ? SQLITE_NOMEM : sqlite3_extended_errcode(handle_);
  const int system_errno = (code & 0xff) != SQLITE_IOERR ? 0 : system_errno_of(handle_);
  std::string reason = handle_ == nullptr ? "out of memory" : sqlite3_errmsg(handle_);
  if (system_errno != 0) reason += std::string(", ") + std::strerror(system_errno);
  const JournalProblem problem = problem_of(code, system_errno);
  if (problem == JournalProblem::full) throw JournalError(problem, shown_, full_text(shown_, reason));
  throw JournalError(problem, shown_,
                     "the journal " + shown_ + " " + what + ": " + reason + " (SQLite " + std::to_string(code) + ")");
}

}  // namespace hotspare::journal
