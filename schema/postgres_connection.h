// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <concepts>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/clock.h"

namespace ipmit::schema {

// The result of one statement. Texts are views that live as long as it does.
class PostgresRows {
 public:
  class Row {
   public:
    Row(const PostgresRows& rows, std::size_t index) : rows_(rows), index_(index) {}
    std::string_view text(int column) const;  // empty for null
    std::optional<std::int64_t> integer(int column) const;
    std::int64_t number(int column) const { return integer(column).value_or(0); }

   private:
    const PostgresRows& rows_;
    std::size_t index_;
  };

  struct Impl;
  explicit PostgresRows(std::unique_ptr<Impl> impl);
  ~PostgresRows();
  PostgresRows(PostgresRows&& other) noexcept;
  PostgresRows& operator=(PostgresRows&&) = delete;

  std::size_t size() const;
  bool empty() const { return size() == 0; }
  Row operator[](std::size_t index) const { return {*this, index}; }
  std::size_t affected() const;  // rows inserted, updated or deleted

 private:
  std::unique_ptr<Impl> impl_;
};

// A parameter as text, which is how PostgreSQL reads every type; unset is null.
using PostgresParameter = std::optional<std::string>;
inline PostgresParameter to_parameter(std::string_view value) {
  return std::string(value);
}
inline PostgresParameter to_parameter(std::integral auto value) {
  return std::to_string(value);
}
inline PostgresParameter to_parameter(common::TimePoint value) {
  return common::to_rfc3339(value);
}
template <typename Value>
PostgresParameter to_parameter(const std::optional<Value>& value) {
  return value ? to_parameter(*value) : PostgresParameter();
}

// A session with a PostgreSQL server, and the only code that speaks to libpqxx. Connects when first
// used, and again by the next transaction after the session was lost; calls block for at most the
// limits that the session sets (connect 5 s, or 2 s for each of several hosts, a lock 5 s, a
// statement 60 s, a dead peer 15 s, a silent one 75 s), unless the URL says otherwise.
//
// A URL may name several hosts, "postgresql://user@a,b/ipmit": the one that is the primary is used.
//
// TransientError: not reachable, no primary, session lost (a commit may then have happened or not:
// every write here can be repeated), deadlock, lock not free, server shutting down, read-only or
// out of resources. PermanentError: no rights, damaged data, wrong URL and whatever else it
// refuses. Each names the server without the password. One thread at a time.
class PostgresConnection {
 public:
  explicit PostgresConnection(const std::string& url);
  ~PostgresConnection();
  PostgresConnection(const PostgresConnection&) = delete;
  PostgresConnection& operator=(const PostgresConnection&) = delete;

  // Subscribes this session and every later one to the notifications of `channel`, a plain name.
  void listen(const std::string& channel);

  // Waits for a notification and gives back the payload of the last one that came; nullopt: none
  // within `deadline`. Throws when the session is lost. Not inside a transaction.
  std::optional<std::string> wait_for_notification(common::Duration deadline);

  // How long the server may take to answer a call; then the session is given up: a server that
  // hangs, unlike one that is gone, keeps its connections. 0: for ever. The server itself gives up
  // a statement before kPatience.
  static constexpr common::Duration kPatience{75'000};
  void set_patience(common::Duration patience) { patience_ = patience; }

  // How many sessions there were: a new one knows nothing of what happened between.
  std::uint64_t sessions() const { return sessions_; }
  bool is_connected() const;
  void connect();  // if it is not
  void disconnect();
  const std::string& place() const { return place_; }

 private:
  friend class PostgresTransaction;
  struct Impl;
  template <typename Call>
  auto guarded(common::Duration patience, Call call);

  common::Duration patience_ = kPatience;
  std::string url_;
  std::string place_;  // the URL without password
  std::string channel_;
  std::uint64_t sessions_ = 0;
  std::shared_ptr<Impl> impl_;  // shared with the transaction that is open
};

// A transaction that is rolled back unless commit() was reached. kRead: one snapshot for all reads.
// Connects if need be.
class PostgresTransaction {
 public:
  enum class Kind { kRead, kWrite };
  PostgresTransaction(PostgresConnection& connection, Kind kind);
  // Where one needs more patience than the others of the connection.
  PostgresTransaction(PostgresConnection& connection, Kind kind, common::Duration patience);
  ~PostgresTransaction();
  PostgresTransaction(const PostgresTransaction&) = delete;
  PostgresTransaction& operator=(const PostgresTransaction&) = delete;

  // One statement; $1 is the first of `values`.
  template <typename... Values>
  PostgresRows query(const std::string& sql, const Values&... values) {
    return run(sql, {to_parameter(values)...});
  }
  PostgresRows run(const std::string& sql, const std::vector<PostgresParameter>& parameters);
  void execute(const std::string& sql);  // any number of statements, without parameters
  void commit();

 private:
  struct Impl;
  PostgresConnection& connection_;
  const common::Duration patience_;
  std::unique_ptr<Impl> impl_;
};

}  // namespace ipmit::schema
