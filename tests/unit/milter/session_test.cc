// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <stdexcept>

#include <gtest/gtest.h>

#include "common/log.h"
#include "tests/unit/milter/session_fixture.h"

namespace ipmit::milter {
namespace {

using policy::Action;

TEST_F(SessionTest, WithoutRulesEverythingGoesOn) {
  Session& session = connect();
  EXPECT_FALSE(mail(session).reply);
  EXPECT_FALSE(rcpt(session).reply);
  const Verdict end = session.end_of_message("Q1");
  EXPECT_FALSE(end.reply);
  EXPECT_TRUE(end.edits.empty()) << "no key, no trace header";
  EXPECT_EQ(outcome("accepted"), 1);
}

TEST_F(SessionTest, RefusesWithTheTextOfTheRule) {
  rules({rule("r/defer", "198.51.100.0/24", Action::kDefer),
         rule("r/reject", "user:eve", Action::kReject)});
  Session& session = connect();
  const Verdict defer = mail(session);
  ASSERT_TRUE(defer.reply);
  EXPECT_EQ(defer.reply->to_string(), "451 4.7.1 198.51.100.0/24: because (ipmit r/defer)");
  const Verdict reject = mail(session, "<a@example.com>", "EVE");
  ASSERT_TRUE(reject.reply);
  EXPECT_TRUE(reject.reply->is_permanent()) << "stricter of two, user in any case";
  EXPECT_EQ(outcome("deferred"), 1);
  EXPECT_EQ(outcome("rejected"), 1);
}

TEST_F(SessionTest, RecipientRulesRefuseOneRecipientOnly) {
  auto scoped = rule("r/rcpt", "198.51.100.7", Action::kDefer);
  scoped.scope.recipient_domains = {policy::DomainPattern::parse("slow.example").value()};
  rules({scoped});
  Session& session = connect();
  EXPECT_FALSE(mail(session).reply);
  EXPECT_TRUE(rcpt(session, "<b@slow.example>").reply);
  EXPECT_FALSE(rcpt(session, "<b@fast.example>").reply);
  EXPECT_FALSE(session.end_of_message("Q1").reply);
  EXPECT_EQ(outcome("accepted"), 1);
}

TEST_F(SessionTest, QuotaIsKeptOnlyByAMessageThatWasLetThrough) {
  rules({rule("r/limit", "198.51.100.7", Action::kThrottle)});
  const struct {
    const char* name;
    void (*end)(Session&);
    std::int64_t taken;
  } rows[] = {
      {"end of message", [](Session& s) { s.end_of_message("Q"); }, 1},
      {"abort", [](Session& s) { s.abort(); }, 0},
      {"two aborts", [](Session& s) { s.abort(), s.abort(); }, 0},
      {"close", [](Session& s) { s.close(); }, 0},
      {"a new connection", [](Session& s) { s.connect({}); }, 0},
      {"an error of ours", [](Session& s) { s.fail(); }, 0},
      {"abort after the end", [](Session& s) { s.end_of_message("Q"), s.abort(); }, 1},
  };
  for (const auto& row : rows) {
    limiter_.taken = 0;
    Session& session = connect();
    mail(session);
    rcpt(session);
    EXPECT_EQ(limiter_.taken, 1) << row.name;
    row.end(session);
    EXPECT_EQ(limiter_.taken, row.taken) << row.name;
  }
  limiter_.taken = 0;
  Session& session = connect();
  mail(session);
  mail(session);
  EXPECT_EQ(limiter_.taken, 1) << "the second MAIL ends the first message";
}

TEST_F(SessionTest, ARefusedThrottleNamesTheBudgetAndTakesNothing) {
  rules({rule("r/limit", "198.51.100.7", Action::kThrottle),
         rule("r/other", "domain:example.com", Action::kThrottle)});
  limiter_.refuse = "r/other:domain:example.com";
  Session& session = connect();
  const Verdict verdict = mail(session);
  ASSERT_TRUE(verdict.reply);
  EXPECT_EQ(verdict.reply->text(),
            "domain:example.com exceeds 2 messages per hour (ipmit r/other)");
  EXPECT_EQ(limiter_.taken, 0);
  EXPECT_EQ(outcome("throttled"), 1);
}

TEST_F(SessionTest, RecipientsAreChargedOneByOneAndRefusedOnesNotAtAll) {
  auto limit = rule("r/limit", "198.51.100.7", Action::kThrottle);
  limit.rate_limit->unit = policy::RateUnit::kRecipients;
  rules({limit});
  Session& session = connect();
  mail(session);
  EXPECT_EQ(limiter_.taken, 0);
  rcpt(session, "<b@example.net>");
  rcpt(session, "550 5.1.1 no such user", "error");
  rcpt(session, "<c@example.net>");
  EXPECT_EQ(limiter_.taken, 2);
  session.abort();
  EXPECT_EQ(limiter_.taken, 0);
}

TEST_F(SessionTest, EndActionsAreAHeaderAddedAndDeletedAgain) {
  rules({rule("r/route", "domain:route.example", Action::kReroute),
         rule("r/hold", "domain:hold.example", Action::kQuarantine),
         rule("r/gone", "domain:gone.example", Action::kDiscard)});
  const struct {
    const char *sender, *header, *value, *outcome;
  } rows[] = {{"<a@route.example>", "X-Ipmit-Route", "slow", "rerouted"},
              {"<a@hold.example>", "X-Ipmit-Hold", "ipmit r/hold: because", "quarantined"},
              {"<a@gone.example>", "X-Ipmit-Discard", "ipmit r/gone: because", "discarded"}};
  Session& session = connect();
  for (const auto& row : rows) {
    mail(session, row.sender);
    rcpt(session);
    const Verdict end = session.end_of_message("Q");
    EXPECT_FALSE(end.reply);
    ASSERT_EQ(end.edits.size(), 2U) << row.sender;
    EXPECT_EQ(end.edits[0].kind, HeaderEdit::Kind::kAdd);
    EXPECT_EQ(end.edits[0].name, row.header);
    EXPECT_EQ(end.edits[0].value, row.value);
    EXPECT_EQ(end.edits[1].kind, HeaderEdit::Kind::kDelete);
    EXPECT_EQ(end.edits[1].name, row.header);
    EXPECT_EQ(outcome(row.outcome), 1);
  }
}

TEST_F(SessionTest, ATransportThatIsNotListedIsNotUsed) {
  options_.reroute_transports.clear();
  publish();
  rules({rule("r/route", "domain:route.example", Action::kReroute)});
  Session& session = connect();
  mail(session, "<a@route.example>");
  rcpt(session);
  EXPECT_TRUE(session.end_of_message("Q").edits.empty());
  EXPECT_EQ(metrics_.reroutes_refused.value(), 1);
  EXPECT_EQ(outcome("accepted"), 1);
}

TEST_F(SessionTest, ObservedRulesChangeNothing) {
  auto dry = rule("r/dry", "198.51.100.7", Action::kReject);
  dry.mode = policy::Mode::kDryRun;
  rules({dry, rule("r/observe", "198.51.100.7", Action::kObserve)});
  Session& session = connect();
  EXPECT_FALSE(mail(session).reply);
  EXPECT_FALSE(rcpt(session).reply);
  EXPECT_TRUE(session.end_of_message("Q").edits.empty());
  const auto observed = [&](std::string_view action) {
    return registry_
        .counter("ipmit_milter_rule_matches_total", "", {{"action", action}, {"mode", "observed"}})
        .value();
  };
  EXPECT_EQ(observed("Reject"), 1);
  EXPECT_EQ(observed("Observe"), 1);
}

TEST_F(SessionTest, OneMessageIsDecidedByOneSetOfRules) {
  rules({});
  Session& session = connect();
  EXPECT_FALSE(mail(session).reply);
  rules({rule("r/hold", "198.51.100.7", Action::kQuarantine)});
  rcpt(session);
  EXPECT_TRUE(session.end_of_message("Q").edits.empty());
  mail(session);
  rcpt(session);
  EXPECT_EQ(session.end_of_message("Q").edits.size(), 2U);
}

TEST_F(SessionTest, LocalMailIsDecidedAtItsEndAndNeverRejected) {
  rules({rule("r/reject", "domain:example.com", Action::kReject)});
  Session& session = connect("127.0.0.1", 0, "");
  EXPECT_FALSE(mail(session, "a@example.com").reply);
  EXPECT_FALSE(rcpt(session, "b@example.net").reply);
  const Verdict end = session.end_of_message("Q");
  ASSERT_TRUE(end.reply);
  EXPECT_FALSE(end.reply->is_permanent());
  Session& smtp = connect("127.0.0.1", 4000, "25");
  EXPECT_TRUE(mail(smtp).reply->is_permanent()) << "a client on loopback is not local pickup";
}

TEST_F(SessionTest, AddressRulesLeaveProxiesAndUnknownClientsAlone) {
  options_.never_match_networks.push_back(policy::IpPrefix::parse("198.51.100.0/24").value());
  publish();
  rules({rule("r/address", "198.51.100.7", Action::kReject),
         rule("r/user", "user:eve", Action::kReject)});
  Session& proxied = connect();
  EXPECT_FALSE(mail(proxied).reply);
  EXPECT_TRUE(mail(proxied, "<a@example.com>", "eve").reply);
  EXPECT_EQ(metrics_.clients_never_match.value(), 1);
  Session& unknown = connect("unknown");
  EXPECT_FALSE(mail(unknown).reply);
  EXPECT_TRUE(mail(unknown, "<a@example.com>", "eve").reply);
  EXPECT_EQ(metrics_.clients_unknown.value(), 1);

  rules(
      {rule("r/user", "user:eve", Action::kReject)},
      {{.target = policy::Target::parse("198.51.100.0/24").value(), .reason = "ours", .ends = {}}});
  Session& exempt = connect();
  EXPECT_FALSE(mail(exempt, "<a@example.com>", "eve").reply) << "an exemption still counts";
  exempt.end_of_message("Q");
  EXPECT_EQ(outcome("exempt"), 1);
}

TEST_F(SessionTest, ReentryPortsAndProbesAreNotDecided) {
  options_.reentry_ports = {10025};
  publish();
  rules({rule("r/reject", "domain:example.com", Action::kReject)});
  Session& again = connect("198.51.100.7", 4000, "10025");
  EXPECT_FALSE(mail(again).reply);
  rcpt(again);
  EXPECT_TRUE(again.end_of_message("Q").edits.empty());
  EXPECT_EQ(outcome("reentry"), 1);

  Session probe(services_, "p");
  probe.connect({.host = "probe.1", .address = {}, .daemon_port = {}});
  EXPECT_FALSE(mail(probe).reply);
  probe.close();
  EXPECT_EQ(metrics_.messages_started.value(), 1);
  EXPECT_EQ(metrics_.messages_open.value(), 0);
  EXPECT_EQ(metrics_.connections.value(), 1);
}

TEST_F(SessionTest, WithoutRulesTheFallbackDecides) {
  state_ = RuleState::kNone;
  EXPECT_FALSE(mail(connect()).reply);
  options_.fallback.no_rules = NoRules::kTempfail;
  publish();
  const Verdict verdict = mail(connect());
  ASSERT_TRUE(verdict.reply);
  EXPECT_EQ(verdict.reply->to_string(), "451 4.3.0 mail policy not available, try again later");
  EXPECT_EQ(outcome("fallback"), 1);
  EXPECT_EQ(metrics_.fallback_used.value(), 2);
}

TEST_F(SessionTest, StaleRulesActAsConfigured) {
  rules({rule("r/limit", "user:limit", Action::kThrottle),
         rule("r/defer", "user:defer", Action::kReject)});
  state_ = RuleState::kStale;
  EXPECT_TRUE(mail(connect(), "<a@example.com>", "defer").reply->is_permanent());
  options_.fallback.refusals = WhenStale::kAccept;
  options_.fallback.limits = WhenStale::kTempfail;
  publish();
  EXPECT_FALSE(mail(connect(), "<a@example.com>", "defer").reply);
  const int calls = limiter_.calls;
  EXPECT_EQ(mail(connect(), "<a@example.com>", "limit").reply->enhanced(), "4.3.0");
  EXPECT_EQ(limiter_.calls, calls);
}

TEST_F(SessionTest, CommandsInAnyOrderAreNoError) {
  Session session(services_, "s");
  EXPECT_FALSE(rcpt(session).reply);
  EXPECT_FALSE(session.end_of_message({}).reply);
  session.abort();
  EXPECT_FALSE(mail(session, "").reply);
  EXPECT_FALSE(mail(session, "<>").reply);
  session.close();
  session.close();
  EXPECT_FALSE(mail(session, "postmaster").reply);
  EXPECT_EQ(metrics_.messages_started.value(), 3);
}

}  // namespace
}  // namespace ipmit::milter
