// SPDX-License-Identifier: Apache-2.0
#include "schema/leader_lock.h"

#include <condition_variable>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <thread>
#include <utility>

#include "common/error.h"
#include "schema/postgres_connection.h"

namespace ipmit::schema {

namespace {

// A session that is silent for longer is ended by the server, and the lock with it: its program
// hangs, or its host is gone. As long as the program lives, a thread of its own breaks the silence.
constexpr const char* kSilence = "10s";
constexpr common::Duration kHeartbeat{2'000};
// As long the server may be silent: it hangs, and another may be the primary by now.
constexpr common::Duration kPatience{10'000};

// PostgreSQL 13 has no idle_session_timeout; there the keepalives notice a host that is gone.
constexpr const char* kAcquire =
    "SELECT pg_try_advisory_lock($1)::int, set_config('application_name', $2, false), "
    "set_config('tcp_keepalives_idle', '5', false), "
    "set_config('tcp_keepalives_interval', '3', false), "
    "set_config('tcp_keepalives_count', '3', false), "
    "set_config('idle_in_transaction_session_timeout', $3, false), "  // stopped amid a question
    "(SELECT set_config(name, $3, false) FROM pg_settings WHERE name = 'idle_session_timeout')";

}  // namespace

struct LeaderLock::Impl {
  Impl(const std::string& url, std::int64_t lock_key, std::string lock_name)
      : connection(url), key(lock_key), name(std::move(lock_name)) {
    connection.set_patience(kPatience);
  }

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

  bool acquire() {
    session.reset();
    const PostgresRows rows = ask(kAcquire, key, name, kSilence);
    if (rows[0].number(0) != 1) return false;
    session = connection.sessions();
    if (!heart.joinable())
      heart = std::jthread([this](const std::stop_token& stop) { beat(stop); });
    return true;
  }
  void beat(const std::stop_token& stop) {
    std::condition_variable_any waiting;
    std::unique_lock lock(mutex);
    while (!stop.stop_requested()) {
      waiting.wait_for(lock, stop, kHeartbeat, [] { return false; });
      if (stop.stop_requested() || !is_held()) continue;
      try {
        ask("SELECT 1");
      } catch (const std::runtime_error&) {
        // check() will say so.
      }
    }
  }

  std::mutex mutex;
  PostgresConnection connection;  // guarded by mutex, like the session
  const std::int64_t key;
  const std::string name;
  std::optional<std::uint64_t> session;  // of the connection, when it took the lock
  std::jthread heart;                    // last: it uses all of the above
};

LeaderLock::LeaderLock(const std::string& url, std::int64_t key, std::string name)
    : impl_(std::make_unique<Impl>(url, key, std::move(name))) {}
LeaderLock::~LeaderLock() = default;

bool LeaderLock::try_acquire() {
  {
    const std::lock_guard lock(impl_->mutex);
    if (!impl_->is_held()) return impl_->acquire();
  }
  check();
  return true;
}

void LeaderLock::check() {
  const std::lock_guard lock(impl_->mutex);
  // A question that had to connect anew was asked by a session without the lock.
  if (impl_->is_held()) impl_->ask("SELECT 1");
  if (impl_->is_held()) return;
  impl_->session.reset();
  throw common::TransientError("the session that held the leader lock is gone");
}

void LeaderLock::release() {
  const std::lock_guard lock(impl_->mutex);
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
