// SPDX-License-Identifier: Apache-2.0
#include "schema/leader_lock.h"

#include <optional>
#include <utility>

#include "common/error.h"
#include "schema/postgres_connection.h"

namespace ipmit::schema {

struct LeaderLock::Impl {
  Impl(std::string url, std::int64_t lock_key) : connection(std::move(url)), key(lock_key) {}

  bool is_held() const {
    return session && *session == connection.sessions() && connection.is_connected();
  }
  PostgresRows ask(const std::string& sql) {
    PostgresTransaction transaction(connection, PostgresTransaction::Kind::kRead);
    PostgresRows rows = transaction.query(sql, key);
    transaction.commit();
    return rows;
  }

  PostgresConnection connection;
  const std::int64_t key;
  std::optional<std::uint64_t> session;  // of the connection, when it took the lock
};

LeaderLock::LeaderLock(std::string url, std::int64_t key)
    : impl_(std::make_unique<Impl>(std::move(url), key)) {}
LeaderLock::~LeaderLock() = default;

bool LeaderLock::try_acquire() {
  if (impl_->is_held()) {
    check();
    return true;
  }
  impl_->session.reset();
  const PostgresRows rows = impl_->ask("SELECT pg_try_advisory_lock($1)::int");
  if (rows[0].number(0) != 1) return false;
  impl_->session = impl_->connection.sessions();
  return true;
}

void LeaderLock::check() {
  // A question that had to connect anew was asked by a session without the lock.
  if (impl_->is_held()) impl_->ask("SELECT $1::bigint");
  if (impl_->is_held()) return;
  impl_->session.reset();
  throw common::TransientError("the session that held the leader lock is gone");
}

void LeaderLock::release() {
  impl_->session.reset();
  impl_->connection.disconnect();
}

}  // namespace ipmit::schema
