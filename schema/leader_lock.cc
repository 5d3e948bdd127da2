// SPDX-License-Identifier: Apache-2.0
#include "schema/leader_lock.h"

#include <optional>
#include <utility>

#include "common/error.h"
#include "schema/postgres_connection.h"

namespace ipmit::schema {

struct LeaderLock::Impl {
  Impl(std::string url, std::int64_t lock_key, std::string lock_name)
      : connection(std::move(url)), key(lock_key), name(std::move(lock_name)) {}

  bool is_held() const {
    return session && *session == connection.sessions() && connection.is_connected();
  }
  template <typename... Values>
  PostgresRows ask(const std::string& sql, const Values&... values) {
    PostgresTransaction transaction(connection, PostgresTransaction::Kind::kRead);
    PostgresRows rows = transaction.query(sql, values...);
    transaction.commit();
    return rows;
  }

  PostgresConnection connection;
  const std::int64_t key;
  const std::string name;
  std::optional<std::uint64_t> session;  // of the connection, when it took the lock
};

LeaderLock::LeaderLock(std::string url, std::int64_t key, std::string name)
    : impl_(std::make_unique<Impl>(std::move(url), key, std::move(name))) {}
LeaderLock::~LeaderLock() = default;

bool LeaderLock::try_acquire() {
  if (impl_->is_held()) {
    check();
    return true;
  }
  impl_->session.reset();
  const PostgresRows rows =
      impl_->ask("SELECT pg_try_advisory_lock($1)::int, set_config('application_name', $2, false)",
                 impl_->key, impl_->name);
  if (rows[0].number(0) != 1) return false;
  impl_->session = impl_->connection.sessions();
  return true;
}

void LeaderLock::check() {
  // A question that had to connect anew was asked by a session without the lock.
  if (impl_->is_held()) impl_->ask("SELECT 1");
  if (impl_->is_held()) return;
  impl_->session.reset();
  throw common::TransientError("the session that held the leader lock is gone");
}

void LeaderLock::release() {
  impl_->session.reset();
  impl_->connection.disconnect();
}

std::string lock_holder(const std::string& url, std::int64_t key) {
  PostgresConnection connection(url);
  PostgresTransaction transaction(connection, PostgresTransaction::Kind::kRead);
  const PostgresRows rows = transaction.query(
      "SELECT application_name FROM pg_locks JOIN pg_stat_activity USING (pid) "
      "WHERE locktype = 'advisory' AND granted AND objsubid = 1 "
      "AND database = (SELECT oid FROM pg_database WHERE datname = current_database()) "
      "AND (classid::bigint << 32) + objid::bigint = $1::bigint",
      key);
  return rows.empty() ? "" : std::string(rows[0].text(0));
}

}  // namespace ipmit::schema
