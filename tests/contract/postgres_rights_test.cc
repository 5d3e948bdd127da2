// SPDX-License-Identifier: Apache-2.0
// What each role of PostgreSQL may do.
#include <iterator>
#include <sstream>

#include "common/error.h"
#include "schema/postgres_record.h"
#include "tests/contract/postgres_fixture.h"

namespace ipmit::test {
namespace {

using common::PermanentError;
using policy::Mitigation;
using schema::PostgresStore;
using schema::PutMode;
using schema::PutResult;

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
    {"SELECT add_hits('b', now(), '[]')", "C"},
    {"SELECT * FROM apply_retention()", "C"},
    {"SELECT new_epoch()", "O"},
    {"INSERT INTO findings VALUES ('f', now(), '192.0.2.1', 'r', 1, now(), now(), 's')", "D"},
    {"SELECT add_statistics(current_date, '192.0.2.1', 'bounced', 1)", "D"},
    {"INSERT INTO dead_recipient_fingerprints VALUES ('0123456789abcdefghijkl', 1, now(), now())",
     "D"},
    {"SELECT count(*) FROM dead_recipient_fingerprints", "D"},
    {"DELETE FROM dead_recipient_fingerprints", "D"},
    {"SELECT add_statistics('b', now(), '[]')", "D"},
    {"INSERT INTO evidence SELECT id, 'e', now(), 'dsn', 'x' FROM findings", "D"},
    {"UPDATE findings SET mitigation = 'm'", "D"},
    {"DELETE FROM trap_fingerprints", "O"},
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
    {"UPDATE evidence SET detail = ''", ""},
    {"DELETE FROM findings", ""},
    {"INSERT INTO delivery_statistics VALUES (current_date, 't', 'c', 1)", ""},
    {"DELETE FROM delivery_statistics", ""},
    {"INSERT INTO statistics_batches VALUES ('b', now())", ""},
    {"DELETE FROM statistics_batches", ""},
    {"UPDATE trap_fingerprints SET source = 'x'", ""},
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
  EXPECT_TRUE(controller.add_hits({{"found", 1, kNoon}}, "batch"));
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

// The same for what is learned: the detector writes it, the controller keeps it from growing,
// people read it.
TEST_F(Postgres, RecordWorksWithTheRightsOfItsProgram) {
  open();
  sql("CREATE ROLE its_detector LOGIN IN ROLE ipmit_detector; "
      "CREATE ROLE its_controller LOGIN IN ROLE ipmit_controller; "
      "CREATE ROLE its_operator LOGIN IN ROLE ipmit_operator; "
      "CREATE ROLE its_reader LOGIN IN ROLE ipmit_readonly");
  const common::TimePoint now = common::now();
  const auto today = std::chrono::floor<std::chrono::days>(now);
  const schema::RecipientFingerprints bob = {{1, std::string(22, 'b')}};
  schema::PostgresRecord detector(url("its_detector"), false);
  schema::PostgresRecord controller(url("its_controller"), false);
  schema::PostgresRecord person(url("its_operator"), false);
  schema::PostgresRecord reader(url("its_reader"), false);
  const schema::Finding finding{"f", now, "192.0.2.1", "rule", 1, now, now, "why", ""};
  const schema::Findings::Found found{finding, {{"e", now, schema::Evidence::Kind::kDsn, "x"}}};
  detector.put({found});
  detector.put({found});
  EXPECT_TRUE(detector.link("f", "m"));
  EXPECT_FALSE(detector.add("b", {{today, "192.0.2.1", "bounced", 1}}, now).repeated);
  detector.note_bounces({{bob, now}});
  detector.forget_dead({bob});
  EXPECT_EQ(person.add_traps({bob}, "list", now), 1U);
  EXPECT_TRUE(detector.are_traps({bob})[0]);
  EXPECT_EQ(person.remove_traps("list"), 1U);
  EXPECT_FALSE(controller.apply_retention({}, now, 10).empty());
  EXPECT_EQ(reader.find("f")->mitigation, "m");
  EXPECT_EQ(reader.evidence("f", 1).size(), 1U);
  EXPECT_EQ(reader.counts_of("192.0.2.1", {today, today}).size(), 1U);

  const std::function<void()> refused[] = {
      [&] { reader.put({found}); },
      [&] { person.put({found}); },
      [&] { controller.put({found}); },
      [&] { reader.add("c", {}, now); },
      [&] { reader.are_traps({bob}); },
      [&] { controller.find_dead({bob}); },
      [&] { detector.add_traps({bob}, "list", now); },
      [&] { detector.apply_retention({}, now, 10); },
      [&] { person.apply_retention({}, now, 10); },
  };
  for (std::size_t i = 0; i < std::size(refused); ++i)
    EXPECT_NE(message_of<PermanentError>(refused[i]).find("permission denied"), std::string::npos)
        << i;
}

}  // namespace
}  // namespace ipmit::test
