// SPDX-License-Identifier: Apache-2.0
#include "schema/sqlite_connection.h"

#include <utility>

#include <sqlite3.h>

#include "common/error.h"

namespace ipmit::schema {
namespace {

// journal_size_limit: the -wal file shrinks to this after a checkpoint. cell_size_check: damage is
// noticed when a page is read. synchronous=FULL: a change that was answered survives a power cut.
constexpr const char* kSettings =
    "PRAGMA foreign_keys = ON;"
    "PRAGMA synchronous = FULL;"
    "PRAGMA cell_size_check = ON;"
    "PRAGMA trusted_schema = OFF;"
    "PRAGMA journal_size_limit = 16777216;";

}  // namespace

SqliteStatement::~SqliteStatement() {
  connection_.give_back(std::move(sql_), statement_);
}

void SqliteStatement::reset() {
  sqlite3_reset(statement_);  // its result repeats the error of the last step
  sqlite3_clear_bindings(statement_);
}

void SqliteStatement::bind(int place, std::string_view value) {
  const char* data = value.data() == nullptr ? "" : value.data();
  connection_.check(
      sqlite3_bind_text64(statement_, place, data, value.size(), SQLITE_TRANSIENT, SQLITE_UTF8));
}

void SqliteStatement::bind_integer(int place, std::int64_t value) {
  connection_.check(sqlite3_bind_int64(statement_, place, value));
}

bool SqliteStatement::next() {
  const int code = sqlite3_step(statement_);
  if (code == SQLITE_ROW) return true;
  if (code != SQLITE_DONE) connection_.fail(code);
  sqlite3_reset(statement_);  // ends the read transaction it may have begun
  return false;
}

void SqliteStatement::run() {
  while (next()) {
  }
}

std::string_view SqliteStatement::text(int column) const {
  const unsigned char* data = sqlite3_column_text(statement_, column);
  if (data == nullptr) return {};
  return {reinterpret_cast<const char*>(data),
          static_cast<std::size_t>(sqlite3_column_bytes(statement_, column))};
}

std::optional<std::int64_t> SqliteStatement::integer(int column) const {
  if (sqlite3_column_type(statement_, column) == SQLITE_NULL) return std::nullopt;
  return sqlite3_column_int64(statement_, column);
}

SqliteConnection::SqliteConnection(std::filesystem::path path) : path_(std::move(path)) {
  const int code = sqlite3_open_v2(path_.c_str(), &database_,
                                   SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, nullptr);
  try {
    check(code);
    sqlite3_extended_result_codes(database_, 1);
    check(sqlite3_busy_timeout(database_, static_cast<int>(kBusyTimeout.count())));
    // The -wal and -shm files stay when the last program ends: a reader without rights to create
    // them can always open the database.
    int persist = 1;
    sqlite3_file_control(database_, nullptr, SQLITE_FCNTL_PERSIST_WAL, &persist);
    execute(kSettings);
  } catch (...) {
    sqlite3_close_v2(database_);
    throw;
  }
}

SqliteConnection::~SqliteConnection() {
  for (const auto& [sql, statement] : idle_) sqlite3_finalize(statement);
  sqlite3_close_v2(database_);
}

void SqliteConnection::execute(const std::string& sql) {
  check(sqlite3_exec(database_, sql.c_str(), nullptr, nullptr, nullptr));
}

SqliteStatement SqliteConnection::prepare(std::string_view sql) {
  if (auto idle = idle_.find(sql); idle != idle_.end()) {
    auto node = idle_.extract(idle);
    return {*this, std::move(node.key()), node.mapped()};
  }
  sqlite3_stmt* statement = nullptr;
  check(sqlite3_prepare_v3(database_, sql.data(), static_cast<int>(sql.size()),
                           SQLITE_PREPARE_PERSISTENT, &statement, nullptr));
  return {*this, std::string(sql), statement};
}

void SqliteConnection::give_back(std::string sql, sqlite3_stmt* statement) {
  sqlite3_reset(statement);
  sqlite3_clear_bindings(statement);
  if (!idle_.try_emplace(std::move(sql), statement).second) sqlite3_finalize(statement);
}

std::int64_t SqliteConnection::value(std::string_view sql) {
  auto statement = prepare(sql);
  return statement.next() ? statement.number(0) : 0;
}

std::int64_t SqliteConnection::last_row_id() const {
  return sqlite3_last_insert_rowid(database_);
}

bool SqliteConnection::is_read_only() const {
  return sqlite3_db_readonly(database_, "main") == 1;
}

void SqliteConnection::check(int code) const {
  if (code != SQLITE_OK) fail(code);
}

void SqliteConnection::fail(int code) const {
  const std::string reason =
      database_ == nullptr ? sqlite3_errstr(code) : sqlite3_errmsg(database_);
  const std::string place = path_.string() + ": ";
  switch (code & 0xff) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
    case SQLITE_NOMEM:
    case SQLITE_INTERRUPT:
    case SQLITE_IOERR:
    case SQLITE_FULL:
    case SQLITE_PROTOCOL:
    case SQLITE_SCHEMA:
      throw common::TransientError(place + reason);
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      throw common::PermanentError(place + "damaged (" + reason +
                                   "): stop ipmit, move the file and its -wal and -shm aside, "
                                   "restore a backup, or save what "
                                   "is left with: sqlite3 FILE .recover | sqlite3 NEW");
    case SQLITE_READONLY:
    case SQLITE_PERM:
    case SQLITE_CANTOPEN:
      throw common::PermanentError(
          place + reason +
          ": this user needs to read the file and its -wal and -shm, and to write "
          "them and their directory to make changes");
    default:
      throw common::PermanentError(place + reason);
  }
}

SqliteTransaction::SqliteTransaction(SqliteConnection& connection, Kind kind)
    : connection_(connection) {
  connection_.prepare(kind == Kind::kWrite ? "BEGIN IMMEDIATE" : "BEGIN").run();
}

SqliteTransaction::~SqliteTransaction() {
  if (!open_) return;
  try {
    connection_.prepare("ROLLBACK").run();
  } catch (const std::exception&) {
    // The error that ended the transaction already rolled it back.
  }
}

void SqliteTransaction::commit() {
  connection_.prepare("COMMIT").run();
  open_ = false;
}

}  // namespace ipmit::schema
