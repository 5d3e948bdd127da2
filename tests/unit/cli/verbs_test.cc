// SPDX-License-Identifier: Apache-2.0
// The life of mitigations and exemptions as an operator types and reads it.
#include "cli/verbs.h"

#include <gtest/gtest.h>

#include "schema/record.h"
#include "tests/unit/cli/shell.h"

namespace ipmit::cli {
namespace {

class Verbs : public testing::Test {
 protected:
  // Runs what has to work.
  std::string say(std::vector<std::string> words) {
    const auto result = shell_.run(words);
    EXPECT_EQ(result.code, kOk) << words.front() << ": " << result.err;
    return result.out;
  }
  void add_three() {
    say({"add", "-n", "mail/burst", "-t", "203.0.113.9", "-a", "throttle", "--limit", "100/1h",
         "--unit", "messages", "-r", "newsletter"});
    say({"add", "-n", "mail/range", "-t", "198.51.100.0/24", "-a", "defer", "--for", "2h", "-r",
         "traps"});
    say({"add", "-n", "mail/shop", "-t", "domain:shop.example", "-t", "user:Bob@shop.example", "-a",
         "reroute", "--transport", "slow", "--forever", "--scope-recipient-domain", "example.net",
         "--dry-run", "--priority", "-5", "-r", "bought list"});
  }

  Shell shell_;
};

TEST_F(Verbs, AddSaysWhatWasStoredAndHowToEndIt) {
  EXPECT_EQ(say({"add",           "--name",       "mail/burst",
                 "--target",      "203.0.113.9",  "--target",
                 "2001:db8::/64", "--action",     "Throttle",
                 "--limit",       "100/1h",       "--unit",
                 "recipients",    "--burst",      "20",
                 "--per",         "address",      "--scope-sender-domain",
                 "example.com",   "--scope-user", "alice",
                 "--reply-code",  "450",          "--reply-enhanced",
                 "4.7.0",         "--reply-text", "slow down",
                 "--reason",      "bounces"}),
            R"(added mail/burst
  action    Throttle to 100 recipients per 1h, burst 20, for each address
  targets   2001:db8::/64, 203.0.113.9
  scope     from example.com; by user alice
  ends      2026-11-26T12:00Z (in 1d)
  reply     450 4.7.0 slow down
  origin    Manual
  reason    bounces
  revision  1
24h is the default life: choose with --for, --until or --forever
end it with: ipmitctl release mail/burst --reason TEXT
)");
  const auto stored = shell_.store()->find("mail/burst");
  ASSERT_TRUE(stored);
  EXPECT_EQ(stored->ends, shell_.now + std::chrono::hours(24));
  EXPECT_EQ(stored->rate_limit->unit, policy::RateUnit::kRecipients);
  const auto audit = shell_.store()->audit("mail/burst", 1);
  ASSERT_EQ(audit.size(), 1U);
  EXPECT_EQ(audit[0].who, "alice");
  EXPECT_EQ(audit[0].why, "bounces");
}

TEST_F(Verbs, AddMakesUpAName) {
  const std::string first = say({"add", "-t", "203.0.113.9", "-a", "defer", "-r", "x"});
  EXPECT_TRUE(std::string_view(first).substr(0, 13) == "added mail/m-") << first;
  say({"add", "-t", "203.0.113.9", "-a", "defer", "-r", "x"});
  EXPECT_EQ(shell_.store()->list({}).size(), 2U);
}

TEST_F(Verbs, AddRefusesANameThatIsTakenUnlessToldToReplace) {
  add_three();
  const auto taken =
      shell_.run({"add", "-n", "mail/range", "-t", "192.0.2.1", "-a", "reject", "-r", "x"});
  EXPECT_EQ(taken.code, kFailed);
  EXPECT_EQ(
      taken.err,
      "ipmitctl: mail/range exists already; see ipmitctl show mail/range, or add --replace\n");
  EXPECT_EQ(shell_.store()->find("mail/range")->action, policy::Action::kDefer);
  const std::string out =
      say({"add", "-n", "mail/range", "-t", "192.0.2.1", "-a", "reject", "-r", "x", "--replace"});
  EXPECT_EQ(out.substr(0, out.find('\n')), "replaced mail/range");
  EXPECT_EQ(shell_.store()->find("mail/range")->action, policy::Action::kReject);
}

TEST_F(Verbs, AddWarnsOfWhatWillNotMatch) {
  say({"exempt", "add", "198.51.100.25", "-r", "our list host"});
  const auto added = shell_.run({"add", "-n", "mail/range", "-t", "198.51.100.0/24", "-t",
                                 "127.0.0.5", "-a", "observe", "-r", "traps"});
  EXPECT_EQ(added.code, kOk);
  EXPECT_EQ(added.err,
            "ipmitctl: warning: 198.51.100.25 is exempt and stays so (our list host)\n"
            "ipmitctl: warning: 127.0.0.5 lies in 127.0.0.0/8 of milter.never_match_networks and "
            "will never match\n");
}

TEST_F(Verbs, ListIsATable) {
  EXPECT_EQ(say({"list"}), "no mitigations; ipmitctl add makes one\n");
  add_three();
  EXPECT_EQ(
      say({"list"}),
      R"(NAME        ACTION                                      TARGETS                                     SCOPE           ENDS                       HITS  REASON
mail/burst  Throttle to 100 messages per 1h, burst 100  203.0.113.9                                 -               2026-11-26T12:00Z (in 1d)  0     newsletter
mail/range  Defer                                       198.51.100.0/24                             -               2026-11-25T14:00Z (in 2h)  0     traps
mail/shop   Reroute to slow (DryRun)                    domain:shop.example, user:bob@shop.example  to example.net  until released             0     bought list
)");
}

TEST_F(Verbs, ListFilters) {
  add_three();
  const struct {
    std::vector<std::string> words;
    std::vector<std::string> want;
  } rows[] = {
      {{"list", "--target", "198.51.100.7"}, {"mail/range"}},
      {{"list", "--target", "192.0.2.1"}, {}},
      {{"list", "--action", "throttle"}, {"mail/burst"}},
      {{"list", "--origin", "detector"}, {}},
      {{"list", "--origin", "manual", "--prefix", "mail/s"}, {"mail/shop"}},
  };
  for (const auto& row : rows) {
    const std::string out = say(row.words);
    for (const char* name : {"mail/burst", "mail/range", "mail/shop"}) {
      const bool wanted = std::find(row.want.begin(), row.want.end(), name) != row.want.end();
      EXPECT_EQ(out.find(name) != std::string::npos, wanted) << row.words[2] << " " << name;
    }
  }
  const auto cut = shell_.run({"list", "--most", "1"});
  EXPECT_EQ(cut.err, "ipmitctl: warning: only the first 1 are shown; see --most\n");
}

TEST_F(Verbs, ShowTellsOfOneAndItsHistory) {
  add_three();
  shell_.store()->add_hits({{"mail/range", 7, shell_.now - std::chrono::minutes(1)}}, {});
  EXPECT_EQ(say({"show", "mail/range"}), R"(mail/range
  action    Defer
  targets   198.51.100.0/24
  ends      2026-11-25T14:00Z (in 2h)
  origin    Manual
  reason    traps
  revision  2
  hits      7, last 2026-11-25T11:59:00Z
audit, newest first
  2  2026-11-25T12:00:00Z  add  mail/range  by alice  traps
)");
  EXPECT_EQ(say({"show", "mail/range", "-o", "json"}),
            R"({"mitigation":{"name":"mail/range","origin":"Manual","targets":["198.51.100.0/24"],)"
            R"("action":"Defer","mode":"Enforce","ends":"2026-11-25T14:00:00Z","reason":"traps",)"
            R"("revision":2},"hits":7,"lastHit":"2026-11-25T11:59:00Z","audit":[)"
            "\n"
            R"({"revision":2,"when":"2026-11-25T12:00:00Z","who":"alice","why":"traps",)"
            R"("operation":"add","subject":"mail/range","after":{"name":"mail/range",)"
            R"("origin":"Manual","targets":["198.51.100.0/24"],"action":"Defer",)"
            R"("mode":"Enforce","ends":"2026-11-25T14:00:00Z","reason":"traps","revision":2}})"
            "\n]}\n");
}

TEST_F(Verbs, ReleaseEndsAndHoldsOff) {
  add_three();
  EXPECT_EQ(say({"release", "mail/burst", "-r", "clean"}), "released mail/burst\n");
  EXPECT_EQ(say({"release", "mail/range", "--hold-off", "1h", "-r", "clean"}),
            "released mail/range; its targets are safe from automatic mitigations until "
            "2026-11-25T13:00Z\n");
  const auto again = shell_.run({"release", "mail/burst", "mail/shop", "-r", "clean"});
  EXPECT_EQ(again.code, kFailed);
  EXPECT_EQ(again.out, "released mail/shop\n");
  EXPECT_EQ(again.err, "ipmitctl: no mitigation \"mail/burst\"; see ipmitctl list\n");
  EXPECT_TRUE(shell_.store()->list({}).empty());
}

TEST_F(Verbs, ExemptAddReleasesWhatADetectorMadeAndLeavesWhatAPersonMade) {
  add_three();
  policy::Mitigation automatic;
  automatic.name = "mail/det-1";
  automatic.origin = policy::Origin::kDetector;
  automatic.targets = {*policy::Target::parse("198.51.100.7")};
  automatic.action = policy::Action::kDefer;
  automatic.reason = "traps";
  shell_.store()->put(automatic, schema::PutMode::kAddOnly, {"ipmit-detector", "traps"},
                      shell_.now);
  const auto result = shell_.run({"exempt", "add", "198.51.100.0/24", "-r", "ours", "--for", "3h"});
  EXPECT_EQ(result.code, kOk);
  EXPECT_EQ(result.out,
            "198.51.100.0/24 is exempt until 2026-11-25T15:00Z (in 3h)\n"
            "undo with: ipmitctl exempt remove 198.51.100.0/24 --reason TEXT\n"
            "released mail/det-1, which it covers\n");
  EXPECT_EQ(result.err,
            "ipmitctl: warning: mail/range has no effect any more; end it with: ipmitctl release "
            "mail/range --reason TEXT\n");
  EXPECT_FALSE(shell_.store()->find("mail/det-1"));
  EXPECT_TRUE(shell_.store()->find("mail/range"));
  EXPECT_EQ(say({"exempt", "list"}),
            "TARGET           ENDS                       REASON\n"
            "198.51.100.0/24  2026-11-25T15:00Z (in 3h)  ours\n");
  EXPECT_EQ(say({"exempt", "remove", "198.51.100.0/24", "-r", "done"}),
            "198.51.100.0/24 is no longer exempt\n");
  const auto again = shell_.run({"exempt", "remove", "198.51.100.0/24", "-r", "done"});
  EXPECT_EQ(again.code, kFailed);
  EXPECT_EQ(again.err, "ipmitctl: no exemption of 198.51.100.0/24; see ipmitctl exempt list\n");
  EXPECT_EQ(say({"exempt", "list"}), "no exemptions; ipmitctl exempt add makes one\n");
}

TEST_F(Verbs, ExplainTellsWhatMatchesAndWhyAndTheHistory) {
  add_three();
  say({"add", "-n", "mail/one", "-t", "198.51.100.7", "-a", "reject", "--dry-run", "--forever",
       "-r", "look"});
  EXPECT_EQ(say({"explain", "198.51.100.7"}),
            R"(mail/one does not act: DryRun: it only counts
  because  it names 198.51.100.7
  action   Reject (DryRun)
  ends     until released
  reason   look
  hits     0
mail/range acts
  because  it names 198.51.100.0/24
  action   Defer
  ends     2026-11-25T14:00Z (in 2h)
  reason   traps
  hits     0
the first in this list that acts decides; all throttles are charged
history, newest first
  4  2026-11-25T12:00:00Z  add  mail/one    by alice  look
  2  2026-11-25T12:00:00Z  add  mail/range  by alice  traps
)");
  EXPECT_EQ(say({"explain", "192.0.2.1"}), "no mitigation matches 192.0.2.1\n");
  // What is over stays in the history.
  say({"release", "mail/range", "-r", "clean"});
  const std::string after = say({"explain", "198.51.100.0/24"});
  EXPECT_NE(after.find("no mitigation matches 198.51.100.0/24\n"), std::string::npos) << after;
  EXPECT_NE(after.find("release  mail/range  by alice  clean"), std::string::npos) << after;
  say({"exempt", "add", "198.51.100.7", "-r", "ours"});
  const std::string exempt = say({"explain", "198.51.100.7"});
  EXPECT_EQ(exempt.substr(0, exempt.find('\n')),
            "198.51.100.7 is exempt by 198.51.100.7 until removed: ours");
}

TEST_F(Verbs, AuditIsNewestFirst) {
  EXPECT_EQ(say({"audit"}), "no changes recorded\n");
  add_three();
  say({"release", "mail/burst", "-r", "clean"});
  EXPECT_EQ(say({"audit", "--most", "2"}),
            "4  2026-11-25T12:00:00Z  release  mail/burst  by alice  clean\n"
            "3  2026-11-25T12:00:00Z  add      mail/shop   by alice  bought list\n");
  EXPECT_EQ(say({"audit", "mail/none"}), "no changes recorded of mail/none\n");
}

TEST_F(Verbs, ExportAndImportAreInverse) {
  add_three();
  say({"exempt", "add", "192.0.2.0/28", "-r", "office"});
  const std::string lines = say({"export"});
  Shell other;
  const auto imported = other.run({"import", "-r", "moved"}, lines);
  EXPECT_EQ(imported.code, kOk) << imported.err;
  EXPECT_EQ(imported.out, "4 added, 0 replaced, 0 unchanged, 0 refused\n");
  // Revisions are the store's own; all else is the same.
  const auto strip = [](std::string text) {
    for (std::size_t at = 0; (at = text.find(",\"revision\":", at)) != std::string::npos;)
      text.erase(at, text.find('}', at) - at);
    return text;
  };
  EXPECT_EQ(strip(other.run({"export"}).out), strip(lines));
  EXPECT_EQ(other.run({"import", "-r", "again"}, lines).out,
            "0 added, 0 replaced, 4 unchanged, 0 refused\n");
}

TEST_F(Verbs, ImportChangesNothingIfOneLineIsBad) {
  add_three();
  const std::string good = say({"export"});
  Shell other;
  const auto imported = other.run({"import", "-r", "moved"}, good + "\n{\"name\":1}\nx\n");
  EXPECT_EQ(imported.code, kBadInput);
  EXPECT_NE(imported.err.find("-:5: "), std::string::npos) << imported.err;
  EXPECT_NE(imported.err.find("-:6: "), std::string::npos) << imported.err;
  EXPECT_TRUE(other.store()->list({}).empty());
}

TEST_F(Verbs, SettingsPrintsWhatIsInForce) {
  const std::string text = say({"settings"});
  EXPECT_NE(text.find("# from " + shell_.path("ipmit.yaml") + "\n"), std::string::npos) << text;
  EXPECT_NE(text.find("  reroute_transports: [slow]\n"), std::string::npos) << text;
  EXPECT_NE(say({"settings", "-o", "json"}).find("\"milter.reroute_transports\": \"[slow]\""),
            std::string::npos);
}

TEST_F(Verbs, MigrateTellsTheRevision) {
  EXPECT_EQ(say({"migrate"}),
            "sqlite:" + shell_.path("ipmit.db") + " has the schema of this ipmit, revision 0\n");
}

TEST_F(Verbs, UpkeepRemovesWhatIsOverAndKeepsTheRest) {
  add_three();
  const auto record = schema::open_record("sqlite:" + shell_.path("ipmit.db"), false);
  const schema::Finding finding{"f",        shell_.now, "192.0.2.1", "r", 1,
                                shell_.now, shell_.now, "why",       ""};
  record->put({{finding, {}}});
  shell_.now += std::chrono::days(1);
  EXPECT_EQ(say({"upkeep"}),
            "REMOVED  FROM\n"
            "0        audit\n"
            "0        dead_recipient_fingerprints\n"
            "0        delivery_statistics\n"
            "2        ended rules\n"
            "0        findings\n"
            "0        statistics_batches\n");
  shell_.now += std::chrono::days(401);
  EXPECT_EQ(say({"upkeep", "-o", "json"}),
            R"({"audit":5,"dead_recipient_fingerprints":0,"delivery_statistics":0,)"
            R"("ended rules":0,"findings":1,"statistics_batches":0})"
            "\n");
  EXPECT_TRUE(shell_.store()->find("mail/shop"));
}

}  // namespace
}  // namespace ipmit::cli
