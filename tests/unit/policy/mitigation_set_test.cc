// SPDX-License-Identifier: Apache-2.0
#include "policy/mitigation_set.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/policy/builders.h"

namespace ipmit::policy {
namespace {

using ::testing::ElementsAre;

std::shared_ptr<const MitigationSet> set_of(std::vector<Mitigation> mitigations) {
  return MitigationSet::build(
      {.mitigations = std::move(mitigations), .exemptions = {}, .revision = 7});
}

// "name (target)" of each match, in the order found.
std::vector<std::string> matches(const MitigationSet& set, const char* client,
                                 std::string_view user = {}, std::string_view domain = {}) {
  const auto address = IpAddress::parse(client);
  std::vector<MitigationSet::Match> found;
  set.find(address ? &*address : nullptr, user, domain, found);
  std::vector<std::string> names;
  for (const auto& match : found)
    names.push_back(std::string(set.rule(match.rule).name) + " (" + set.target_text(match.target) +
                    ")");
  return names;
}

TEST(MitigationSet, EmptySetMatchesNothing) {
  const MitigationSet empty;
  EXPECT_EQ(empty.size(), 0u);
  EXPECT_EQ(empty.revision(), 0u);
  EXPECT_THAT(matches(empty, "203.0.113.9", "alice", "example.com"), ElementsAre());
  const auto built = set_of({});
  EXPECT_EQ(built->revision(), 7u);
  EXPECT_EQ(built->find("d"), std::nullopt);
  EXPECT_THAT(matches(*built, "2001:db8::1", "alice", "example.com"), ElementsAre());
}

TEST(MitigationSet, FindsNestedPrefixesFromTheNarrowestOn) {
  const auto set =
      set_of({deferral("eight", {"203.0.0.0/8"}), deferral("host", {"203.0.113.9"}),
              deferral("half", {"203.0.113.0/25"}), deferral("net", {"203.0.113.0/24"}),
              deferral("other", {"203.0.113.128/25"}), deferral("top", {"255.0.0.0/8"}),
              deferral("last", {"255.255.255.255"}), deferral("first", {"0.0.0.0"})});
  EXPECT_THAT(matches(*set, "203.0.113.9"),
              ElementsAre("host (203.0.113.9)", "half (203.0.113.0/25)", "net (203.0.113.0/24)",
                          "eight (203.0.0.0/8)"));
  const struct {
    const char* client;
    std::vector<std::string> want;
  } kRows[] = {
      {"203.0.113.8", {"half (203.0.113.0/25)", "net (203.0.113.0/24)", "eight (203.0.0.0/8)"}},
      {"203.0.113.0", {"half (203.0.113.0/25)", "net (203.0.113.0/24)", "eight (203.0.0.0/8)"}},
      {"203.0.113.127", {"half (203.0.113.0/25)", "net (203.0.113.0/24)", "eight (203.0.0.0/8)"}},
      {"203.0.113.128",
       {"other (203.0.113.128/25)", "net (203.0.113.0/24)", "eight (203.0.0.0/8)"}},
      {"203.0.113.255",
       {"other (203.0.113.128/25)", "net (203.0.113.0/24)", "eight (203.0.0.0/8)"}},
      {"203.0.114.0", {"eight (203.0.0.0/8)"}},
      {"203.255.255.255", {"eight (203.0.0.0/8)"}},
      {"204.0.0.0", {}},
      {"202.255.255.255", {}},
      {"255.255.255.255", {"last (255.255.255.255)", "top (255.0.0.0/8)"}},
      {"255.255.255.254", {"top (255.0.0.0/8)"}},
      {"0.0.0.0", {"first (0.0.0.0)"}},
      {"0.0.0.1", {}},
      {"::ffff:203.0.113.255",
       {"other (203.0.113.128/25)", "net (203.0.113.0/24)", "eight (203.0.0.0/8)"}},
      {"unknown", {}},
      {"cb00:7109::", {}},
  };
  for (const auto& row : kRows) EXPECT_EQ(matches(*set, row.client), row.want) << row.client;
}

TEST(MitigationSet, FindsIpv6PrefixesOnBothSidesOf64) {
  const auto set = set_of(
      {deferral("isp", {"2001:db8::/32"}), deferral("site", {"2001:db8:0:1::/64"}),
       deferral("part", {"2001:db8:0:1:8000::/65"}), deferral("host", {"2001:db8:0:1:8000::1"}),
       deferral("end", {"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"})});
  const struct {
    const char* client;
    std::vector<std::string> want;
  } kRows[] = {
      {"2001:db8:0:1:8000::1",
       {"host (2001:db8:0:1:8000::1)", "part (2001:db8:0:1:8000::/65)", "site (2001:db8:0:1::/64)",
        "isp (2001:db8::/32)"}},
      {"2001:db8:0:1:8000::2",
       {"part (2001:db8:0:1:8000::/65)", "site (2001:db8:0:1::/64)", "isp (2001:db8::/32)"}},
      {"2001:db8:0:1:7fff:ffff:ffff:ffff", {"site (2001:db8:0:1::/64)", "isp (2001:db8::/32)"}},
      {"2001:db8:0:2::", {"isp (2001:db8::/32)"}},
      {"2001:db9::", {}},
      {"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
       {"end (ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff)"}},
      {"::", {}},
      {"32.1.13.184", {}},
  };
  for (const auto& row : kRows) EXPECT_EQ(matches(*set, row.client), row.want) << row.client;
}

TEST(MitigationSet, FindsDomainsNearestFirst) {
  const auto set = set_of({deferral("com", {"*.com"}), deferral("below", {"*.example.com"}),
                           deferral("self", {"example.com"}), deferral("www", {"www.example.com"}),
                           deferral("literal", {"domain:[203.0.113.9]"}),
                           deferral("user", {"user:example.com"})});
  const struct {
    const char* domain;
    std::vector<std::string> want;
  } kRows[] = {
      {"example.com", {"self (domain:example.com)", "com (domain:*.com)"}},
      {"www.example.com",
       {"www (domain:www.example.com)", "below (domain:*.example.com)", "com (domain:*.com)"}},
      {"a.b.example.com", {"below (domain:*.example.com)", "com (domain:*.com)"}},
      {"notexample.com", {"com (domain:*.com)"}},
      {"com", {}},
      {"example.org", {}},
      {"example.com.example.org", {}},
      {"[203.0.113.9]", {"literal (domain:[203.0.113.9])"}},
      {"", {}},
  };
  for (const auto& row : kRows)
    EXPECT_EQ(matches(*set, "unknown", {}, row.domain), row.want) << row.domain;
  EXPECT_THAT(matches(*set, "unknown", "example.com"), ElementsAre("user (user:example.com)"));
}

TEST(MitigationSet, SurvivesDomainsThatAreNone) {
  std::vector<Mitigation> rules;
  std::string deep = "*.x";
  for (int i = 0; i < 100; ++i) {
    rules.push_back(deferral("d" + std::to_string(i), {("domain:" + deep).c_str()}));
    deep += ".x";
  }
  const auto set = set_of(std::move(rules));
  for (const std::size_t size : {1u, 255u, 256u, 100000u})
    EXPECT_THAT(matches(*set, "unknown", {}, std::string(size, '.')), ElementsAre());
  std::string labels = "x";
  for (int i = 1; i < 127; ++i) labels += ".x";
  EXPECT_EQ(matches(*set, "unknown", {}, labels).size(), 100u);
}

TEST(MitigationSet, OrdersPrefixUserDomainAndGivesARuleOnce) {
  const auto set =
      set_of({deferral("all", {"203.0.113.0/24", "203.0.113.9", "user:alice", "example.com"}),
              deferral("user", {"user:alice", "user:bob", "*.com"}),
              deferral("twice", {"example.com", "*.com"})});
  EXPECT_THAT(matches(*set, "203.0.113.9", "alice", "example.com"),
              ElementsAre("all (203.0.113.9)", "user (user:alice)", "twice (domain:example.com)"));
  EXPECT_THAT(matches(*set, "203.0.113.8", "bob", "example.com"),
              ElementsAre("all (203.0.113.0/24)", "user (user:bob)", "twice (domain:example.com)"));
  EXPECT_THAT(matches(*set, "192.0.2.1", "", "www.example.com"),
              ElementsAre("user (domain:*.com)", "twice (domain:*.com)"));
}

TEST(MitigationSet, SeveralRulesMayShareATarget) {
  const auto set = set_of({deferral("a", {"203.0.113.0/24", "example.com"}),
                           deferral("b", {"203.0.113.0/24", "example.com"})});
  EXPECT_THAT(matches(*set, "203.0.113.9"),
              ElementsAre("a (203.0.113.0/24)", "b (203.0.113.0/24)"));
  EXPECT_THAT(matches(*set, "unknown", {}, "example.com"),
              ElementsAre("a (domain:example.com)", "b (domain:example.com)"));
}

TEST(MitigationSet, TheLastOfANameWins) {
  const auto set =
      set_of({deferral("d", {"203.0.113.9"}), rule("e", Action::kReject, {"203.0.113.9"}),
              rule("d", Action::kDiscard, {"203.0.113.8"})});
  EXPECT_EQ(set->size(), 2u);
  EXPECT_THAT(matches(*set, "203.0.113.9"), ElementsAre("e (203.0.113.9)"));
  EXPECT_EQ(set->rule(*set->find("d")).action, Action::kDiscard);
}

TEST(MitigationSet, KeepsWhatARuleSays) {
  Mitigation full = rule("mail/full", Action::kThrottle, {"203.0.113.9"});
  full.rate_limit->unit = RateUnit::kRecipients;
  full.rate_limit->per = RateKey::kAddress;
  full.mode = Mode::kDryRun;
  full.reply_code = "450";
  full.reply_enhanced = "4.7.28";
  full.reply_text = "slow down";
  full.priority = -1000;
  full.starts = at(1);
  full.ends = at(2);
  full.scope.sender_domains = {pattern("a.example"), pattern("*.b.example")};
  full.scope.sasl_users = {{"alice"}};
  full.scope.recipient_domains = {pattern("c.example")};
  const auto set = set_of(
      {deferral("plain", {"203.0.113.9"}), full, rule("route", Action::kReroute, {"203.0.113.9"})});

  const auto got = set->rule(*set->find("mail/full"));
  EXPECT_EQ(got.name, "mail/full");
  EXPECT_EQ(got.reason, full.reason);
  EXPECT_EQ(got.action, Action::kThrottle);
  EXPECT_EQ(got.mode, Mode::kDryRun);
  EXPECT_EQ(got.reply_code, "450");
  EXPECT_EQ(got.reply_enhanced, "4.7.28");
  EXPECT_EQ(got.reply_text, "slow down");
  EXPECT_EQ(got.priority, -1000);
  EXPECT_EQ(got.starts, full.starts);
  EXPECT_EQ(got.ends, full.ends);
  EXPECT_EQ(got.rate_limit, full.rate_limit);
  EXPECT_EQ(got.scope.sender_domains, "a.example\n*.b.example\n");
  EXPECT_EQ(got.scope.sasl_users, "alice\n");
  EXPECT_EQ(got.scope.recipient_domains, "c.example\n");

  const auto plain = set->rule(*set->find("plain"));
  EXPECT_EQ(plain.reason, full.reason);
  EXPECT_EQ(plain.reply_code, "");
  EXPECT_EQ(plain.starts, std::nullopt);
  EXPECT_EQ(plain.ends, std::nullopt);
  EXPECT_EQ(plain.rate_limit, std::nullopt);
  EXPECT_EQ(plain.scope.recipient_domains, "");
  EXPECT_EQ(set->rule(*set->find("route")).reroute_transport, "slow");
}

TEST(MitigationSet, ExemptionsCoverUntilTheyEnd) {
  MitigationSet::Source source;
  for (const char* text : {"203.0.113.0/24", "2001:db8::/32", "user:alice", "*.example.com"})
    source.exemptions.push_back(exemption(text));
  source.exemptions.push_back(exemption("203.0.113.9"));
  source.exemptions.back().ends = at(10);
  const auto set = MitigationSet::build(source);
  EXPECT_EQ(set->exemption_count(), 5u);
  EXPECT_EQ(set->size(), 0u);
  const struct {
    const char* client;
    const char* user;
    const char* domain;
    int time;
    const char* want;
  } kRows[] = {
      {"203.0.113.9", "", "", 9, "203.0.113.9"},
      {"203.0.113.9", "", "", 10, "203.0.113.0/24"},
      {"203.0.114.9", "", "", 0, "none"},
      {"2001:db8::1", "", "", 0, "2001:db8::/32"},
      {"unknown", "alice", "", 0, "user:alice"},
      {"unknown", "bob", "www.example.com", 0, "domain:*.example.com"},
      {"unknown", "", "example.com", 0, "none"},
      {"unknown", "", "", 0, "none"},
  };
  for (const auto& row : kRows) {
    SCOPED_TRACE(std::string(row.client) + row.user + row.domain);
    const auto client = IpAddress::parse(row.client);
    EXPECT_EQ(set->exemption(client ? &*client : nullptr, row.user, row.domain, at(row.time))
                  .value_or("none"),
              row.want);
  }
}

}  // namespace
}  // namespace ipmit::policy
