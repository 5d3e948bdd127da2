// SPDX-License-Identifier: Apache-2.0
// Changes by hand in psql, and the order of revisions.
#include <atomic>
#include <thread>

#include "schema/postgres_connection.h"
#include "tests/contract/postgres_fixture.h"

namespace ipmit::test {
namespace {

using policy::Mitigation;
using schema::PostgresConnection;
using schema::PostgresStore;
using schema::PostgresTransaction;
using Kind = PostgresTransaction::Kind;

TEST_F(Postgres, ChangesByHandCountLikeOurs) {
  PostgresStore store = open();
  store.load();
  sql("INSERT INTO mitigations (name, targets, action, reason, ends) VALUES ('by-hand', "
      "'{ip:2001:DB8::/64,192.0.2.7/32,DOMAIN:Example.COM}', 'Defer', 'r', '2026-11-25 "
      "13:00:00+01')");
  EXPECT_TRUE(store.wait_for_change(kPatience, {}));
  const auto changes = store.changes_since(0, 10).value();
  ASSERT_EQ(changes.size(), 1U);
  const auto& stored = std::get<Mitigation>(changes[0].what);
  EXPECT_EQ(stored.origin, policy::Origin::kDatabase);
  EXPECT_EQ(stored.ends, kNoon);
  Mitigation wanted = make_mitigation("by-hand", "192.0.2.7");
  wanted.targets.push_back(target_of("2001:db8::/64"));
  wanted.targets.push_back(target_of("domain:example.com"));
  policy::canonicalise(wanted);
  EXPECT_EQ(stored.targets, wanted.targets);
  EXPECT_EQ(store.find("by-hand"), stored);
  schema::Store::Filter filter;
  filter.target = target_of("192.0.2.7");
  EXPECT_EQ(names_of(store.list(filter)), std::vector<std::string>{"by-hand"});
  const auto audit = store.audit("by-hand", 1).front();
  EXPECT_EQ(audit.who, "postgres");
  EXPECT_EQ(audit.why, "SQL");

  sql("UPDATE mitigations SET reason = reason");
  EXPECT_EQ(store.revision(), 1U) << "nothing changed";
  sql("UPDATE mitigations SET targets = '{192.0.2.8}'; DELETE FROM mitigations");
  EXPECT_EQ(store.revision(), 3U);
  EXPECT_EQ(store.audit("by-hand", 1).front().operation, "release");
}

struct HandRow {
  const char* statement;
  const char* reason;
};

const HandRow kByHand[] = {
    {"UPDATE mitigations SET targets = '{192.0.2.1/24}'", "bits set to right of mask"},
    {"UPDATE mitigations SET targets = '{example.com}'", "cidr"},
    {"UPDATE mitigations SET targets = '{}'", "check constraint"},
    {"UPDATE mitigations SET priority = 1001", "check constraint"},
    {"UPDATE mitigations SET action = 'Throttle'", "check constraint"},
    {"UPDATE mitigations SET action = 'Ban'", "check constraint"},
    {"UPDATE mitigations SET name = 'another'", "keeps its name"},
    {"TRUNCATE mitigations CASCADE", "leaves no audit"},
    {"INSERT INTO dead_recipient_fingerprints VALUES ('someone@example.com', 1, now(), now())",
     "check constraint"},
    {"SELECT add_statistics(current_date + 400, '192.0.2.1', 'bounced', 1)", "out of range"},
};

TEST_F(Postgres, BadChangesByHandAreRefused) {
  PostgresStore store = open();
  put(store, "m");
  for (const HandRow& row : kByHand) {
    const auto result =
        server_->try_sql(database_, std::string("SET search_path = ipmit; ") + row.statement);
    EXPECT_NE(result.status, 0) << row.statement;
    EXPECT_NE(result.output.find(row.reason), std::string::npos) << result.output;
  }
  EXPECT_EQ(store.revision(), 1U);
}

// A transaction that is still open holds back the revisions behind it: what commits first is lower.
TEST_F(Postgres, RevisionsCommitInTheirOrder) {
  PostgresStore reader = open();
  PostgresConnection slow(url());
  auto open_one = std::make_unique<PostgresTransaction>(slow, Kind::kWrite);
  open_one->query(
      "INSERT INTO mitigations (name, targets, action, reason) VALUES ('slow', '{192.0.2.1}', "
      "'Defer', 'r')");
  std::atomic<bool> added = false;
  std::jthread writer([&] {
    PostgresStore other = open(false);
    put(other, "quick");
    added = true;
  });
  ASSERT_TRUE(wait_until([&] {
    return sql("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'") == "1";
  })) << "the second waits for the first";
  EXPECT_EQ(reader.revision(), 0U);
  EXPECT_FALSE(added);
  open_one->commit();
  writer.join();
  const auto changes = reader.changes_since(0, 10).value();
  ASSERT_EQ(changes.size(), 2U);
  EXPECT_EQ(std::get<Mitigation>(changes[0].what).name, "slow");
  EXPECT_EQ(std::get<Mitigation>(changes[1].what).name, "quick");
}

TEST_F(Postgres, RolledBackRevisionsLeaveAGapThatHarmsNobody) {
  PostgresStore store = open();
  put(store, "a");
  sql("BEGIN; DELETE FROM mitigations; ROLLBACK");
  put(store, "b");
  EXPECT_EQ(store.revision(), 3U);
  const auto changes = store.changes_since(1, 10);
  ASSERT_TRUE(changes);
  EXPECT_EQ(changes->size(), 1U);
}

TEST_F(Postgres, AddressesAreSpelledAsByUs) {
  PostgresStore store = open();
  for (const char* text :
       {"2001:db8::", "2001:db8:0:1::/64", "2001:db8:0:0:1::1", "fe80::/10", "64:ff9b::c000:201",
        "2001:0:0:1::1", "1:0:0:2:0:0:0:3", "192.0.2.0/31", "::/8", "1:2:3:4:5:6:0:8"})
    EXPECT_EQ(sql(std::string("SELECT canonical_target('") + text + "')"),
              target_of(text).to_string());
}

}  // namespace
}  // namespace ipmit::test
