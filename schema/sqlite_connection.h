// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <concepts>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/clock.h"

struct sqlite3;
struct sqlite3_stmt;

namespace ipmit::schema {

class SqliteConnection;

// A prepared statement on loan from its connection, which it must not outlive; given back, reset,
// by the destructor. Texts read from it are views that end with the next next().
class SqliteStatement {
 public:
  SqliteStatement(SqliteConnection& connection, std::string sql, sqlite3_stmt* statement)
      : connection_(connection), sql_(std::move(sql)), statement_(statement) {}
  ~SqliteStatement();
  SqliteStatement(const SqliteStatement&) = delete;
  SqliteStatement& operator=(const SqliteStatement&) = delete;

  // Starts it anew with these parameters, ?1 first. Texts are copied.
  template <typename... Values>
  SqliteStatement& with(const Values&... values) {
    reset();
    int place = 0;
    (bind(++place, values), ...);
    return *this;
  }
  SqliteStatement& with_texts(const std::vector<std::string>& values) {
    reset();
    int place = 0;
    for (const std::string& value : values) bind(++place, value);
    return *this;
  }
  bool next();  // true: there is a row
  void run();   // to its end

  std::string_view text(int column) const;  // empty for null
  std::optional<std::int64_t> integer(int column) const;
  std::int64_t number(int column) const { return integer(column).value_or(0); }

 private:
  void reset();
  void bind(int place, std::string_view value);
  void bind_integer(int place, std::int64_t value);
  void bind(int place, std::integral auto value) {
    bind_integer(place, static_cast<std::int64_t>(value));
  }
  void bind(int place, common::TimePoint value) {
    bind_integer(place, value.time_since_epoch().count());
  }
  template <typename Value>
  void bind(int place, const std::optional<Value>& value) {
    if (value) bind(place, *value);  // unbound is null
  }

  SqliteConnection& connection_;
  std::string sql_;
  sqlite3_stmt* statement_;
};

// One open SQLite database, and the only code that speaks to the library. Every call blocks on the
// disk and, where another process writes, up to kBusyTimeout.
//
// TransientError: busy, disk full, I/O error, out of memory. PermanentError: damaged or no database
// (the message says what to do), no rights, and whatever else SQLite refuses. Each names the file.
// One thread at a time.
class SqliteConnection {
 public:
  static constexpr common::Duration kBusyTimeout{5'000};

  // Opens an existing file, for reading only where its rights allow no more.
  explicit SqliteConnection(std::filesystem::path path);
  ~SqliteConnection();
  SqliteConnection(const SqliteConnection&) = delete;
  SqliteConnection& operator=(const SqliteConnection&) = delete;

  void execute(const std::string& sql);  // any number of statements, without parameters
  SqliteStatement prepare(std::string_view sql);
  std::int64_t value(std::string_view sql);  // first column of the first row

  std::int64_t last_row_id() const;
  const std::filesystem::path& path() const { return path_; }
  bool is_read_only() const;

 private:
  friend class SqliteStatement;
  void check(int code) const;
  [[noreturn]] void fail(int code) const;
  void give_back(std::string sql, sqlite3_stmt* statement);

  std::filesystem::path path_;
  sqlite3* database_ = nullptr;
  std::map<std::string, sqlite3_stmt*, std::less<>> idle_;  // prepared and not on loan
};

// A transaction that is rolled back unless commit() was reached. kRead: all reads see one state.
// kWrite: takes the write lock at once, so that what it reads stays true until it commits.
class SqliteTransaction {
 public:
  enum class Kind { kRead, kWrite };
  SqliteTransaction(SqliteConnection& connection, Kind kind);
  ~SqliteTransaction();
  SqliteTransaction(const SqliteTransaction&) = delete;
  SqliteTransaction& operator=(const SqliteTransaction&) = delete;
  void commit();

 private:
  SqliteConnection& connection_;
  bool open_ = true;
};

}  // namespace ipmit::schema
