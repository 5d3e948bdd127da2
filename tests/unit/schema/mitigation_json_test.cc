// SPDX-License-Identifier: Apache-2.0
#include "schema/mitigation_json.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "tests/support/process.h"

namespace ipmit::schema {
namespace {

using policy::Action;
using policy::DomainPattern;
using policy::Exemption;
using policy::Mitigation;
using policy::Target;

Target target(std::string_view text) {
  return Target::parse(text).value();
}
DomainPattern domain(std::string_view text) {
  return DomainPattern::parse(text).value();
}
common::TimePoint at(std::string_view text) {
  return common::parse_rfc3339(text).value();
}

Mitigation small() {
  Mitigation mitigation;
  mitigation.name = "mail/det-7f3a";
  mitigation.targets = {target("203.0.113.0/24")};
  mitigation.action = Action::kDefer;
  mitigation.reason = "too many bounces";
  return mitigation;
}

// Every member away from its default.
Mitigation full() {
  Mitigation mitigation = small();
  mitigation.origin = policy::Origin::kDetector;
  mitigation.targets = {target("203.0.113.9"), target("2001:db8::/64"),
                        target("domain:*.example.com"), target("user:alice@example.com")};
  mitigation.scope.sender_domains = {domain("example.com"), domain("*.example.org")};
  mitigation.scope.sasl_users = {{"bob"}};
  mitigation.scope.recipient_domains = {domain("example.net")};
  mitigation.action = Action::kThrottle;
  mitigation.mode = policy::Mode::kDryRun;
  mitigation.rate_limit = policy::RateLimit{
      100, std::chrono::minutes(90), 7, policy::RateUnit::kRecipients, policy::RateKey::kAddress};
  mitigation.reply_code = "450";
  mitigation.reply_enhanced = "4.7.0";
  mitigation.reply_text = "slow down, \"please\"";
  mitigation.priority = -7;
  mitigation.starts = at("2026-11-25T17:00:00.250Z");
  mitigation.ends = at("2026-11-25T18:00:00Z");
  mitigation.evidence = "{\"hits\": 3}\n\xc3\xbc";
  mitigation.revision = 18'446'744'073'709'551'615U;
  policy::canonicalise(mitigation);
  return mitigation;
}

TEST(MitigationJson, WritesWhatIsNotTheDefault) {
  EXPECT_EQ(to_json(small()),
            R"({"name":"mail/det-7f3a","origin":"Manual","targets":["203.0.113.0/24"],)"
            R"("action":"Defer","mode":"Enforce","reason":"too many bounces"})");
  EXPECT_EQ(to_json(Exemption{target("192.0.2.0/24"), "office", at("2026-11-25T18:00:00Z"), 3}),
            R"({"target":"192.0.2.0/24","reason":"office","ends":"2026-11-25T18:00:00Z",)"
            R"("revision":3})");
}

TEST(MitigationJson, RoundTrip) {
  Mitigation reroute = small();
  reroute.action = Action::kReroute;
  reroute.reroute_transport = "slow-out";
  for (const Mitigation& mitigation : {small(), full(), reroute}) {
    const auto back = mitigation_from_json(to_json(mitigation));
    ASSERT_TRUE(back.ok()) << back.problem() << "\n" << to_json(mitigation);
    EXPECT_EQ(*back, mitigation) << to_json(mitigation);
  }
  const Exemption exemption{target("user:root"), "never the operator", std::nullopt, 9};
  const auto back = exemption_from_json(to_json(exemption));
  ASSERT_TRUE(back.ok()) << back.problem();
  EXPECT_EQ(*back, exemption);
}

TEST(MitigationJson, ReadsDefaultsAndOtherSpellings) {
  const auto read = mitigation_from_json(
      R"({"name":"a","targets":["2001:DB8::1","EXAMPLE.com"],"action":"throttle","reason":"r",)"
      R"("scope":null,"reply":{},"rateLimit":{"limit":5,"period":"60s","unit":"Messages"},)"
      R"("ends":"2026-11-25T19:00:00+01:00"})");
  ASSERT_TRUE(read.ok()) << read.problem();
  EXPECT_EQ(read->targets, (std::vector<Target>{target("2001:db8::1"), target("example.com")}));
  EXPECT_EQ(read->rate_limit->burst, 5U);
  EXPECT_EQ(read->rate_limit->period, std::chrono::minutes(1));
  EXPECT_EQ(read->ends, at("2026-11-25T18:00:00Z"));
}

TEST(MitigationJson, EvidenceThatIsNoUtf8IsReplacedNotLost) {
  Mitigation mitigation = small();
  mitigation.evidence = "before\xff after";
  EXPECT_NE(to_json(mitigation).find("before\xef\xbf\xbd after"), std::string::npos);
}

struct Refused {
  const char* name;
  const char* text;
  const char* problem;  // the beginning of it
};

// Members of a good mitigation, to which each row adds one bad thing.
#define GOOD R"("name":"a","targets":["192.0.2.1"],"action":"Defer","reason":"r")"

const Refused kRefused[] = {
    {"empty text", "", "not JSON: "},
    {"cut", "{\"name\":", "not JSON: parse error at line 1, column 9"},
    {"not an object", "[]", "must be a JSON object"},
    {"text after the object", "{} {}", "not JSON: "},
    {"bad UTF-8", "{\"name\":\"\xff\"}", "not JSON: "},
    {"twin member", R"({"name":"a","name":"b"})", "name: comes twice"},
    {"twin inside", "{" GOOD R"(,"scope":{"saslUsers":[],"saslUsers":[]}})",
     "saslUsers: comes twice"},
    {"unknown member", "{" GOOD R"(,"prio":1})", "prio: unknown member"},
    {"unknown inside", "{" GOOD R"(,"reply":{"enhanced":"4.7.1"}})",
     "reply.enhanced: unknown member"},
    {"no name", R"({"targets":["192.0.2.1"],"action":"Defer","reason":"r"})", "name: is missing"},
    {"no targets", R"({"name":"a","action":"Defer","reason":"r"})", "targets: is missing"},
    {"null is absent", R"({"name":"a","targets":["192.0.2.1"],"action":null,"reason":"r"})",
     "action: is missing"},
    {"name is a number", R"({"name":1,"targets":["192.0.2.1"],"action":"Defer","reason":"r"})",
     "name: must be a text"},
    {"targets is a text", R"({"name":"a","targets":"192.0.2.1","action":"Defer","reason":"r"})",
     "targets: must be a list of texts"},
    {"target is a number", R"({"name":"a","targets":[1],"action":"Defer","reason":"r"})",
     "targets: must be a list of texts"},
    {"bad target", R"({"name":"a","targets":["192.0.2.1/24"],"action":"Defer","reason":"r"})",
     "targets: \"192.0.2.1/24\": "},
    {"unknown action", R"({"name":"a","targets":["192.0.2.1"],"action":"Ban","reason":"r"})",
     "action: must be one of Observe, "},
    {"bad scope domain", "{" GOOD R"(,"scope":{"senderDomains":["a b"]}})",
     "scope.senderDomains: \"a b\": "},
    {"scope is a list", "{" GOOD R"(,"scope":[]})", "scope: must be an object"},
    {"priority above", "{" GOOD R"(,"priority":1001})", "priority: must be a whole number from"},
    {"priority wraps", "{" GOOD R"(,"priority":18446744073709551615})",
     "priority: must be a whole number from"},
    {"priority 1.5", "{" GOOD R"(,"priority":1.5})", "priority: must be a whole number from"},
    {"negative revision", "{" GOOD R"(,"revision":-1})", "revision: must be a whole number"},
    {"time without zone", "{" GOOD R"(,"ends":"2026-11-25T18:00:00"})", "ends: must be a time"},
    {"rate without unit", "{" GOOD R"(,"rateLimit":{"limit":1,"period":"1h"}})",
     "rateLimit.unit: is missing"},
    {"rate 0", "{" GOOD R"(,"rateLimit":{"limit":0,"period":"1h","unit":"messages"}})",
     "rateLimit.limit: must be a whole number from 1"},
    {"period without unit", "{" GOOD R"(,"rateLimit":{"limit":1,"period":"60","unit":"messages"}})",
     "rateLimit.period: must be a time span"},
};

TEST(MitigationJson, RefusesWithMemberAndReason) {
  ASSERT_TRUE(mitigation_from_json("{" GOOD "}").ok());
  for (const Refused& row : kRefused) {
    const auto read = mitigation_from_json(row.text);
    ASSERT_FALSE(read.ok()) << row.name;
    EXPECT_EQ(read.problem().substr(0, std::string_view(row.problem).size()), row.problem)
        << row.name;
  }
}
#undef GOOD

TEST(MitigationJson, RefusesWhatPolicyRefuses) {
  Mitigation mitigation = small();
  mitigation.action = Action::kThrottle;  // without a rate limit
  EXPECT_FALSE(mitigation_from_json(to_json(mitigation)).ok());
  EXPECT_FALSE(exemption_from_json(R"({"target":"192.0.2.1","reason":""})").ok());
  EXPECT_FALSE(exemption_from_json(R"({"target":"192.0.2.1/8","reason":"r"})").ok());
}

// Every member that is written is described, in the same place, and no other.
void expect_described(const nlohmann::json& value, const nlohmann::json& schema,
                      const std::string& path) {
  EXPECT_EQ(schema.at("additionalProperties"), false) << path;
  for (const auto& [member, inner] : value.items()) {
    ASSERT_TRUE(schema.at("properties").contains(member)) << path << member;
    if (inner.is_object())
      expect_described(inner, schema["properties"][member], path + member + ".");
  }
}

TEST(MitigationJson, TheSchemaDescribesEveryMember) {
  const auto schema = nlohmann::json::parse(
      test::read_file(std::filesystem::path(IPMIT_SOURCE_DIR) / "schema/mitigation.schema.json"));
  auto all = nlohmann::json::parse(to_json(full()));
  all["reroute"]["transport"] = "slow-out";
  expect_described(all, schema, "");
  for (const auto& [member, description] : schema.at("properties").items())
    EXPECT_TRUE(all.contains(member)) << member << " is described but never written";
}

}  // namespace
}  // namespace ipmit::schema
