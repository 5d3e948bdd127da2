// SPDX-License-Identifier: Apache-2.0
// Migration, locks, sessions that are lost, retention of PostgreSQL.
#include <atomic>
#include <memory>
#include <thread>

#include "common/error.h"
#include "schema/leader_lock.h"
#include "schema/postgres_connection.h"
#include "schema/postgres_record.h"
#include "schema/sql_steps.h"
#include "tests/contract/postgres_fixture.h"

namespace ipmit::test {
namespace {

using common::Duration;
using common::PermanentError;
using common::TransientError;
using policy::Mitigation;
using schema::PostgresConnection;
using schema::PostgresStore;
using schema::PostgresTransaction;
using schema::PutMode;
using Kind = PostgresTransaction::Kind;

TEST_F(Postgres, LockHeldForLongIsTransient) {
  PostgresStore store = open();
  PostgresConnection other(url());
  PostgresTransaction holder(other, Kind::kWrite);
  holder.query("SELECT begin_change('someone', 'slow', now(), '')");
  Mitigation mitigation = make_mitigation("m", "192.0.2.1");
  EXPECT_THROW(store.put(mitigation, PutMode::kAddOnly, kNote, kNoon), TransientError);
  EXPECT_EQ(store.load().set.revision, 0U) << "readers do not wait";
}

TEST_F(Postgres, MigratedBySeveralAtOnce) {
  std::vector<std::jthread> programs;
  std::atomic<int> fine = 0;
  for (int i = 0; i < 4; ++i)
    programs.emplace_back([&] { fine += message_of<std::exception>([&] { open(); }) == kNoError; });
  programs.clear();
  EXPECT_EQ(fine, 4);
  EXPECT_EQ(sql("SELECT count(*) FROM schema_version"),
            std::to_string(schema::postgres_steps().size()));
}

TEST_F(Postgres, OtherSchemaVersions) {
  EXPECT_NE(message_of<PermanentError>([&] { open(false); }).find("run ipmitctl migrate"),
            std::string::npos);
  open();
  sql("INSERT INTO schema_version (version, file) VALUES (99, 'future')");
  for (const bool may_migrate : {true, false})
    EXPECT_NE(message_of<PermanentError>([&] { open(may_migrate); })
                  .find("has schema version 99, this ipmit knows version " +
                        std::to_string(schema::postgres_steps().size())),
              std::string::npos);
}

TEST_F(Postgres, SurvivesARestartOfTheServer) {
  PostgresStore store = open();
  put(store, "before");
  store.load();
  EXPECT_FALSE(store.wait_for_change(Duration(0), {}));
  server_->stop();
  EXPECT_THROW(store.wait_for_change(Duration(1'000), {}), TransientError);
  EXPECT_THROW(store.load(), TransientError);
  server_->start();
  EXPECT_FALSE(store.wait_for_change(Duration(0), {})) << "nothing happened meanwhile";
  server_->kill();
  server_->start();
  PostgresStore other = open(false);
  put(other, "after");  // before anybody listens again
  EXPECT_TRUE(wait_until([&] {
    try {
      return store.wait_for_change(kPatience, {});
    } catch (const TransientError&) {
      return false;  // the session that was lost
    }
  }));
  EXPECT_EQ(store.load().set.mitigations.size(), 2U);
  put(other, "later");
  EXPECT_TRUE(store.wait_for_change(kPatience, {})) << "it listens again";
}

TEST_F(Postgres, UnreachableIsTransientAndNamesThePlaceWithoutPassword) {
  const std::string text = message_of<TransientError>(
      [] { PostgresStore("postgresql://ipmit:secret@/x?host=/nowhere.example", false); });
  EXPECT_EQ(text.rfind("postgresql://ipmit@/x: ", 0), 0U) << text;
  EXPECT_EQ(text.find("secret"), std::string::npos) << text;
  EXPECT_EQ(text.find('\n'), std::string::npos) << text;
}

TEST_F(Postgres, ZeroByteIsRefusedNotCut) {
  PostgresStore store = open();
  Mitigation mitigation = make_mitigation("m", "192.0.2.1");
  mitigation.evidence = std::string("before\0after", 12);
  EXPECT_THROW(store.put(mitigation, PutMode::kAddOnly, kNote, kNoon), PermanentError);
  EXPECT_EQ(store.revision(), 0U);
}

TEST_F(Postgres, NewEpochLetsEveryReaderLoadAnew) {
  PostgresStore store = open();
  put(store, "m");
  const auto before = store.load();
  store.wait_for_change(Duration(0), {});
  sql("SELECT new_epoch()");
  EXPECT_TRUE(store.wait_for_change(kPatience, {}));
  EXPECT_FALSE(store.changes_since(1, 10)) << "the same number may mean another change now";
  EXPECT_NE(store.load().epoch, before.epoch);
}

TEST_F(Postgres, RetentionByHandInPsql) {
  open();
  sql("SELECT add_statistics(current_date - n, '192.0.2.1', 'bounced', 2) "
      "FROM unnest('{0,0,89,100}'::integer[]) n");
  EXPECT_EQ(sql("SELECT sum(events) FROM delivery_statistics"), "8");
  EXPECT_EQ(sql("SELECT * FROM apply_retention()"),
            "delivery_statistics days|1\nfindings|0\naudit|0\ndead_recipient_fingerprints|0\n"
            "statistics_batches|0");
  EXPECT_EQ(sql("SELECT sum(events) FROM delivery_statistics"), "6");
}

TEST_F(Postgres, RetentionMakesThePartitionsOfTheDaysToCome) {
  open();
  const auto days = [this] {
    return sql(
        "SELECT count(*), min(relname) = 'delivery_statistics_' || to_char(current_date, "
        "'YYYYMMDD') FROM pg_inherits JOIN pg_class ON oid = inhrelid WHERE inhparent = "
        "'delivery_statistics'::regclass AND relname >= statistics_partition(current_date)");
  };
  sql("SELECT * FROM apply_retention()");
  EXPECT_EQ(days(), "8|t");
  sql("SELECT * FROM apply_retention()");
  EXPECT_EQ(days(), "8|t");
}

// A reader may hold an old day for long; nobody waits for it, and the rest is done.
TEST_F(Postgres, RetentionLeavesADayThatIsInUse) {
  schema::PostgresRecord record(url(), true);
  sql("SELECT add_statistics(current_date - 100, '192.0.2.1', 'bounced', 2); INSERT INTO findings "
      "VALUES ('old', now() - interval '91 days', '192.0.2.1', 'r', 1, now(), now(), 's')");
  PostgresConnection other(url());
  const auto removed = [&] {
    std::string text;
    for (const auto& one : record.apply_retention({}, common::now(), 10))
      text += std::to_string(one.rows);
    return text;
  };
  {
    PostgresTransaction reader(other, Kind::kRead);
    reader.query("SELECT count(*) FROM ipmit.delivery_statistics");
    EXPECT_EQ(removed(), "01000");
  }
  EXPECT_EQ(removed(), "10000");
}

// One that hangs keeps its connections, and nobody else would ever end the wait.
TEST_F(Postgres, ASilentServerIsGivenUp) {
  PostgresConnection connection(url());
  connection.set_patience(Duration(300));
  auto listener = std::make_unique<PostgresConnection>(url());
  listener->listen("ipmit");
  const auto ask = [&] {
    PostgresTransaction transaction(connection, Kind::kRead);
    transaction.query("SELECT 1");
  };
  ask();
  server_->pause();
  const std::string reason = message_of<TransientError>(ask);
  listener.reset();  // does not wait for it either
  server_->resume();
  EXPECT_NE(reason.find("no answer within 300ms"), std::string::npos) << reason;
  EXPECT_FALSE(connection.is_connected());
  ask();
  EXPECT_EQ(connection.sessions(), 2U);
}

// Whatever the order of the hosts: what a standby says may be old.
TEST_F(Postgres, AStandbyIsNotTakenForTheRecord) {
  open();
  const TempPostgres standby(TempPostgres::StandbyOf{*server_});
  EXPECT_THROW(PostgresStore(standby.url(database_), true), TransientError);
  schema::LeaderLock lock(standby.url(database_), 1, "tester");
  EXPECT_THROW(lock.try_acquire(), TransientError);
  PostgresStore store(standby.url(database_) + "," + server_->host(), false);
  put(store, "m");
  EXPECT_TRUE(open().find("m"));
}

TEST_F(Postgres, ReadersOfATrimmedAuditLoadAnew) {
  PostgresStore store = open();
  put(store, "m");
  sql("UPDATE audit SET at = now() - interval '2 years'; SELECT apply_retention()");
  EXPECT_FALSE(store.changes_since(0, 10)) << "the audit no longer goes back that far";
}

}  // namespace
}  // namespace ipmit::test
