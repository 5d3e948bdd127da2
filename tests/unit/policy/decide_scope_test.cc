// SPDX-License-Identifier: Apache-2.0
#include <functional>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "policy/decide.h"
#include "tests/unit/policy/ask.h"

namespace ipmit::policy {
namespace {

using ::testing::ElementsAre;

TEST(Decide, ScopeListsAreAnded) {
  const auto scoped = [](const std::function<void(Scope&)>& edit) {
    return with(deferral("d", {"203.0.113.0/24"}), [&](Mitigation& m) { edit(m.scope); });
  };
  const struct {
    const char* name;
    std::function<void(Scope&)> scope;
    const char* sender;
    const char* user;
    bool want;
  } kRows[] = {
      {"sender domain", [](Scope& s) { s.sender_domains = {pattern("example.com")}; },
       "a@example.com", "", true},
      {"another sender domain", [](Scope& s) { s.sender_domains = {pattern("example.com")}; },
       "a@example.org", "", false},
      {"subdomain", [](Scope& s) { s.sender_domains = {pattern("*.example.com")}; },
       "a@x.example.com", "", true},
      {"not the domain itself", [](Scope& s) { s.sender_domains = {pattern("*.example.com")}; },
       "a@example.com", "", false},
      {"not a name that ends like it",
       [](Scope& s) { s.sender_domains = {pattern("*.example.com")}; }, "a@xexample.com", "",
       false},
      {"one of two",
       [](Scope& s) {
         s.sender_domains = {pattern("example.com"), pattern("example.org")};
       },
       "a@example.org", "", true},
      {"sender without domain", [](Scope& s) { s.sender_domains = {pattern("example.com")}; }, "a",
       "", false},
      {"user", [](Scope& s) { s.sasl_users = {{"alice"}}; }, "a@example.com", "alice", true},
      {"another user", [](Scope& s) { s.sasl_users = {{"alice"}}; }, "a@example.com", "alic",
       false},
      {"no user", [](Scope& s) { s.sasl_users = {{"alice"}}; }, "a@example.com", "", false},
      {"both",
       [](Scope& s) {
         s.sasl_users = {{"alice"}};
         s.sender_domains = {pattern("example.com")};
       },
       "a@example.com", "alice", true},
      {"only one of both",
       [](Scope& s) {
         s.sasl_users = {{"alice"}};
         s.sender_domains = {pattern("example.com")};
       },
       "a@example.org", "alice", false},
  };
  for (const auto& row : kRows) {
    SCOPED_TRACE(row.name);
    Message message;
    message.sender = row.sender;
    message.user = row.user;
    EXPECT_EQ(ask({.mitigations = {scoped(row.scope)}}, message, Stage::kMail).rule,
              row.want ? "d" : "");
  }
}

TEST(Decide, RecipientScope) {
  const auto at_rcpt = [](const char* recipient) {
    Message message;
    message.recipients = {recipient};
    return ask({.mitigations = {to_domain(deferral("d", {kClient}), "*.one.example")}}, message,
               Stage::kRcpt)
        .rule;
  };
  EXPECT_EQ(at_rcpt("bob@mx.one.example"), "d");
  EXPECT_EQ(at_rcpt("bob@one.example"), "");
  EXPECT_EQ(at_rcpt("bob"), "");
  Message message;
  message.recipients = {"a@two.example", "b@one.example"};
  const Mitigation hold = to_domain(rule("h", Action::kQuarantine, {kClient}), "one.example");
  EXPECT_EQ(ask({.mitigations = {hold}}, message, Stage::kEndOfMessage).rule, "h");
  message.recipients = {"a@two.example"};
  EXPECT_EQ(ask({.mitigations = {hold}}, message, Stage::kEndOfMessage).rule, "");
  message.recipients = {};
  EXPECT_EQ(ask({.mitigations = {hold}}, message, Stage::kEndOfMessage).rule, "");
}

TEST(Decide, ChargesCountOnceAMessageOrOnceARecipient) {
  const auto throttle = [](RateUnit unit, const char* recipient_domain) {
    Mitigation m = rule("t", Action::kThrottle, {kClient});
    m.rate_limit->unit = unit;
    if (recipient_domain != nullptr) m.scope.recipient_domains = {pattern(recipient_domain)};
    return m;
  };
  const struct {
    const char* name;
    Mitigation rule;
    std::vector<std::string> recipients, accepted;
    bool local_pickup;
    Stage stage;
    const char* want;
  } kRows[] = {
      {"message", throttle(RateUnit::kMessages, nullptr), {}, {}, false, Stage::kMail, "x1"},
      {"not at RCPT",
       throttle(RateUnit::kMessages, nullptr),
       {"a@one.example"},
       {},
       false,
       Stage::kRcpt,
       ""},
      {"recipient",
       throttle(RateUnit::kRecipients, nullptr),
       {"a@one.example"},
       {},
       false,
       Stage::kRcpt,
       "x1"},
      {"second recipient",
       throttle(RateUnit::kRecipients, nullptr),
       {"a@one.example"},
       {"b@one.example"},
       false,
       Stage::kRcpt,
       "x1"},
      {"recipient in scope",
       throttle(RateUnit::kRecipients, "one.example"),
       {"a@one.example"},
       {"b@one.example"},
       false,
       Stage::kRcpt,
       "x1"},
      {"recipient out of scope",
       throttle(RateUnit::kRecipients, "one.example"),
       {"a@two.example"},
       {},
       false,
       Stage::kRcpt,
       ""},
      {"message in scope",
       throttle(RateUnit::kMessages, "one.example"),
       {"a@one.example"},
       {"b@two.example"},
       false,
       Stage::kRcpt,
       "x1"},
      {"only its first recipient in scope",
       throttle(RateUnit::kMessages, "one.example"),
       {"a@one.example"},
       {"b@one.example"},
       false,
       Stage::kRcpt,
       ""},
      {"a protected postmaster was not charged",
       throttle(RateUnit::kMessages, "one.example"),
       {"a@one.example"},
       {"postmaster@one.example"},
       false,
       Stage::kRcpt,
       "x1"},
      {"local message",
       throttle(RateUnit::kMessages, nullptr),
       {"a@one.example", "b@one.example"},
       {},
       true,
       Stage::kEndOfMessage,
       "x1"},
      {"local recipients",
       throttle(RateUnit::kRecipients, nullptr),
       {"a@one.example", "b@two.example"},
       {},
       true,
       Stage::kEndOfMessage,
       "x2"},
      {"local recipients in scope",
       throttle(RateUnit::kRecipients, "one.example"),
       {"a@one.example", "b@two.example", "c@one.example"},
       {},
       true,
       Stage::kEndOfMessage,
       "x2"},
      {"local message to nobody",
       throttle(RateUnit::kRecipients, nullptr),
       {},
       {},
       true,
       Stage::kEndOfMessage,
       ""},
  };
  for (const auto& row : kRows) {
    SCOPED_TRACE(row.name);
    Message message;
    message.recipients = row.recipients;
    message.accepted = row.accepted;
    message.local_pickup = row.local_pickup;
    const Answer got = ask({.mitigations = {row.rule}}, message, row.stage);
    const std::string charge = got.charges.empty() ? "" : got.charges[0];
    EXPECT_EQ(charge, *row.want == '\0' ? "" : "t:203.0.113.9 " + std::string(row.want));
  }
}

TEST(Decide, BudgetsAreOfTheTargetOrOfTheAddress) {
  const struct {
    const char* name;
    std::initializer_list<const char*> targets;
    RateKey per;
    const char* client;
    const char* want;
  } kRows[] = {
      {"range", {"203.0.113.0/24"}, RateKey::kTarget, "203.0.113.9", "t:203.0.113.0/24 x1"},
      {"address in it", {"203.0.113.0/24"}, RateKey::kAddress, "203.0.113.9", "t:203.0.113.9 x1"},
      {"IPv6 address counts as its /64",
       {"2001:db8::/32"},
       RateKey::kAddress,
       "2001:db8:1:2:3:4:5:6",
       "t:2001:db8:1:2::/64 x1"},
      {"narrowest of several",
       {"203.0.113.0/24", "203.0.113.9", "example.com"},
       RateKey::kTarget,
       "203.0.113.9",
       "t:203.0.113.9 x1"},
      {"domain", {"example.com"}, RateKey::kTarget, "203.0.113.9", "t:domain:example.com x1"},
      {"address that sends for a domain",
       {"example.com"},
       RateKey::kAddress,
       "203.0.113.9",
       "t:203.0.113.9 x1"},
      {"unknown client", {"example.com"}, RateKey::kAddress, "unknown", "t:domain:example.com x1"},
  };
  for (const auto& row : kRows) {
    SCOPED_TRACE(row.name);
    Mitigation throttle = rule("t", Action::kThrottle, row.targets);
    throttle.rate_limit->per = row.per;
    Message message;
    message.client = row.client;
    EXPECT_THAT(ask({.mitigations = {throttle}}, message, Stage::kMail).charges,
                ElementsAre(row.want));
  }
}

}  // namespace
}  // namespace ipmit::policy
