// SPDX-License-Identifier: Apache-2.0
// What only PostgreSQL has: roles, changes by hand, migration, sessions that are lost, retention.
#include <functional>
#include <sstream>
#include <thread>

#include "common/error.h"
#include "schema/mitigation_json.h"
#include "schema/postgres_connection.h"
#include "schema/postgres_migrate.h"
#include "schema/postgres_store.h"
#include "schema/sql_steps.h"
#include "tests/contract/store_contract.h"
#include "tests/support/temp_postgres.h"

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
using schema::PutResult;
using Kind = PostgresTransaction::Kind;

class Postgres : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    if (TempPostgres::missing().empty()) server_ = new TempPostgres;
  }
  static void TearDownTestSuite() {
    delete server_;
    server_ = nullptr;
  }
  void SetUp() override {
    if (server_ == nullptr) GTEST_SKIP() << TempPostgres::missing();
    database_ = server_->create_database();
  }

  std::string url(std::string_view user = "postgres") const {
    return server_->url(database_, user);
  }
  PostgresStore open(bool may_migrate = true) const { return PostgresStore(url(), may_migrate); }
  std::string sql(const std::string& statements) const {
    return server_->sql(database_, "SET search_path = ipmit; " + statements);
  }
  static TempPostgres* server_;
  std::string database_;
};
TempPostgres* Postgres::server_ = nullptr;

constexpr const char* kNoError = "no such error";

template <typename Error>
std::string message_of(const std::function<void()>& call) {
  try {
    call();
  } catch (const Error& error) {
    return error.what();
  }
  return kNoError;
}

void put(PostgresStore& store, std::string_view name) {
  Mitigation mitigation = make_mitigation(name, "192.0.2.1");
  ASSERT_EQ(store.put(mitigation, PutMode::kAddOnly, kNote, kNoon), PutResult::kAdded);
}

struct RightsRow {
  const char* statement;
  const char* may;  // letters of the roles: Milter, Detector, Controller, Operator, Readonly
};

const RightsRow kRights[] = {
    {"SELECT count(*) FROM mitigations", "DCOR"},
    {"SELECT count(*) FROM targets", "DCOR"},
    {"SELECT count(*) FROM exemptions", "DCOR"},
    {"SELECT count(*) FROM audit", "DCOR"},
    {"SELECT count(*) FROM findings", "DCOR"},
    {"SELECT revision, current_epoch() FROM state", "DCOR"},
    {"SELECT begin_change('a', 'b', now(), '')", "DCO"},
    {"INSERT INTO mitigations (name, origin, targets, action, reason) VALUES "
     "('x', 'Detector', '{192.0.2.9}', 'Defer', 'r')",
     "DCO"},
    {"INSERT INTO mitigations (name, origin, targets, action, reason) VALUES "
     "('x', 'Manual', '{192.0.2.9}', 'Defer', 'r')",
     "CO"},
    {"INSERT INTO exemptions (target, reason) VALUES ('192.0.2.8', 'r')", "CO"},
    {"DELETE FROM exemptions", "CO"},
    {"INSERT INTO hold_offs VALUES ('192.0.2.8', now())", "CO"},
    {"INSERT INTO hits SELECT name, 1, now() FROM mitigations", "C"},
    {"SELECT * FROM apply_retention()", "C"},
    {"SELECT new_epoch()", "O"},
    {"INSERT INTO findings VALUES ('f', now(), '192.0.2.1', 'r', 1, now(), now(), 's')", "D"},
    {"SELECT add_statistics(current_date, '192.0.2.1', 'bounced', 1)", "D"},
    {"INSERT INTO dead_recipient_fingerprints VALUES ('0123456789abcdefghijkl', 1, now(), now())",
     "D"},
    {"SELECT count(*) FROM dead_recipient_fingerprints", "D"},
    {"SELECT count(*) FROM trap_fingerprints", "DO"},
    {"INSERT INTO trap_fingerprints VALUES ('0123456789abcdefghijkl')", "O"},
    // Nobody writes history, counts revisions or steps over the triggers.
    {"INSERT INTO audit (revision, at, who, why, operation, kind, subject) VALUES "
     "(99, now(), 'a', 'b', 'add', 'mitigation', 'x')",
     ""},
    {"UPDATE audit SET who = 'another'", ""},
    {"DELETE FROM audit", ""},
    {"UPDATE state SET revision = 0", ""},
    {"SELECT nextval('revision')", ""},
    {"INSERT INTO targets VALUES ('m', '192.0.2.9')", ""},
    {"SELECT write_audit(99, 'add', 'mitigation', 'x', '', '')", ""},
    {"TRUNCATE mitigations CASCADE", ""},
    {"DELETE FROM evidence", ""},
    {"DROP TABLE audit", ""},
    {"ALTER TABLE mitigations DISABLE TRIGGER ALL", ""},
};

// The SQLSTATE of each statement of kRights, run by `role` and rolled back.
std::vector<std::string> states_of(const TempPostgres& server, const std::string& database,
                                   const std::string& role) {
  std::string script = "\\set ON_ERROR_STOP 0\nSET search_path = ipmit; SET ROLE " + role + ";\n";
  for (const RightsRow& row : kRights)
    script += std::string("BEGIN;\n") + row.statement + ";\n\\echo state= :SQLSTATE\nROLLBACK;\n";
  std::vector<std::string> states;
  std::istringstream lines(server.try_sql(database, script).output);
  for (std::string line; std::getline(lines, line);)
    if (line.rfind("state= ", 0) == 0) states.push_back(line.substr(7));
  return states;
}

TEST_F(Postgres, EachRoleMayDoItsWorkAndNoMore) {
  PostgresStore store = open();
  put(store, "m");
  const std::pair<char, const char*> kRoles[] = {{'M', "ipmit_milter"},
                                                 {'D', "ipmit_detector"},
                                                 {'C', "ipmit_controller"},
                                                 {'O', "ipmit_operator"},
                                                 {'R', "ipmit_readonly"}};
  for (const auto& [letter, role] : kRoles) {
    const auto states = states_of(*server_, database_, role);
    ASSERT_EQ(states.size(), std::size(kRights)) << role;
    for (std::size_t i = 0; i < states.size(); ++i) {
      const bool may = std::string_view(kRights[i].may).find(letter) != std::string_view::npos;
      // Without the right to the schema nothing in it exists; all else is insufficient privilege.
      const bool hidden = letter == 'M' && (states[i] == "42P01" || states[i] == "42883");
      EXPECT_EQ(hidden ? "42501" : states[i], may ? "00000" : "42501")
          << role << ": " << kRights[i].statement;
    }
  }
}

TEST_F(Postgres, TheDetectorCanNotUndoWhatPeopleDecided) {
  PostgresStore store = open();
  put(store, "by-a-person");
  Mitigation own = make_mitigation("by-itself", "192.0.2.1");
  own.origin = policy::Origin::kDetector;
  store.put(own, PutMode::kAddOnly, kNote, kNoon);
  EXPECT_EQ(server_->sql(database_,
                         "SET ROLE ipmit_detector; DELETE FROM ipmit.mitigations RETURNING name"),
            "by-itself");
  EXPECT_TRUE(store.find("by-a-person"));
}

// The programs' own way through the store, each with its role and no more.
TEST_F(Postgres, StoreWorksWithTheRightsOfItsProgram) {
  open();
  sql("CREATE ROLE a_detector LOGIN IN ROLE ipmit_detector; "
      "CREATE ROLE a_controller LOGIN IN ROLE ipmit_controller; "
      "CREATE ROLE an_operator LOGIN IN ROLE ipmit_operator; "
      "CREATE ROLE a_reader LOGIN IN ROLE ipmit_readonly; CREATE ROLE a_milter LOGIN IN ROLE "
      "ipmit_milter");
  PostgresStore detector(url("a_detector"), false);
  Mitigation found = make_mitigation("found", "192.0.2.1");
  found.origin = policy::Origin::kDetector;
  found.ends = kNoon;
  EXPECT_EQ(detector.put(found, PutMode::kAddOnly, kNote, kNoon), PutResult::kAdded);
  PostgresStore controller(url("a_controller"), true);
  controller.add_hits({{"found", 1, kNoon}});
  EXPECT_EQ(controller.expire(kNoon, 10), 1U);
  PostgresStore person(url("an_operator"), false);
  put(person, "m");
  EXPECT_TRUE(person.release("m", std::chrono::hours(1), kNote, kNoon));
  PostgresStore reader(url("a_reader"), false);
  EXPECT_EQ(reader.load().set.revision, 4U);
  Mitigation refused = make_mitigation("refused", "192.0.2.1");
  EXPECT_NE(message_of<PermanentError>([&] {
              reader.put(refused, PutMode::kAddOnly, kNote, kNoon);
            }).find("permission denied"),
            std::string::npos);
  const std::string refusal =
      message_of<PermanentError>([&] { PostgresStore(url("a_milter"), false); });
  EXPECT_NE(refusal.find("grant this user one of"), std::string::npos) << refusal;
}

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

TEST_F(Postgres, RetentionRemovesWhatIsOld) {
  PostgresStore store = open();
  put(store, "m");
  sql("SELECT add_statistics(current_date - n, '192.0.2.1', 'bounced', 2) "
      "FROM unnest('{0,0,89,100}'::integer[]) n");
  EXPECT_EQ(sql("SELECT sum(events) FROM delivery_statistics"), "8");
  EXPECT_EQ(sql("SELECT count(*) FROM pg_inherits WHERE inhparent = "
                "'delivery_statistics'::regclass"),
            "3");
  sql("UPDATE audit SET at = now() - interval '2 years'; "
      "INSERT INTO findings VALUES ('old', now() - interval '91 days', '192.0.2.1', 'r', 1, now(), "
      "now(), 's'), ('new', now(), '192.0.2.1', 'r', 1, now(), now(), 's'); "
      "INSERT INTO evidence VALUES ('old', 'e', now(), 'dsn', 'x'), ('new', 'e', now(), 'dsn', "
      "'x'); "
      "INSERT INTO dead_recipient_fingerprints VALUES ('0123456789abcdefghijkl', 1, "
      "now() - interval '181 days', now() - interval '181 days')");
  EXPECT_EQ(sql("SELECT * FROM apply_retention()"),
            "delivery_statistics days|1\nfindings|1\naudit|1\ndead_recipient_fingerprints|1");
  EXPECT_EQ(sql("SELECT sum(events) FROM delivery_statistics"), "6");
  EXPECT_EQ(sql("SELECT finding FROM evidence"), "new");
  EXPECT_FALSE(store.changes_since(0, 10)) << "the audit no longer goes back that far";
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
