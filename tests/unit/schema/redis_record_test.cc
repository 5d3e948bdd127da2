// SPDX-License-Identifier: Apache-2.0
#include "schema/redis_record.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/sample_rules.h"

namespace ipmit::schema {
namespace {

FieldViews views(const Fields& fields) {
  return {fields.begin(), fields.end()};
}

TEST(RedisRecord, ReadsWhatItWrites) {
  auto reroute = test::reject("reroute", "domain:example.com", 9);
  reroute.action = policy::Action::kReroute;
  reroute.reroute_transport = "slow";
  for (const auto& rule : {test::full_rule("det/full", 41), test::reject("plain", "192.0.2.1", 7),
                           test::throttle("v6", "2001:db8::/32", 8), reroute}) {
    ASSERT_FALSE(policy::validate(rule)) << rule.name << policy::validate(rule)->reason;
    const Fields fields = to_fields(rule);
    const auto got = mitigation_from_fields(rule.name, views(fields));
    ASSERT_TRUE(got.ok()) << rule.name << ": " << got.problem();
    EXPECT_EQ(*got, rule);
    FieldViews backwards = views(fields);
    std::reverse(backwards.begin(), backwards.end());
    EXPECT_EQ(*mitigation_from_fields(rule.name, backwards), rule);
  }
  for (const policy::Exemption& exemption :
       {policy::Exemption{test::target("user:bob"), "boss", std::nullopt, 3},
        policy::Exemption{test::target("198.51.100.0/24"), "partner",
                          test::at("2106-01-01T00:00:00Z"), 42}}) {
    const Fields fields = to_fields(exemption);
    const auto got = exemption_from_fields(exemption.target.to_string(), views(fields));
    ASSERT_TRUE(got.ok()) << got.problem();
    EXPECT_EQ(*got, exemption);
  }
}

TEST(RedisRecord, IsReadable) {
  const Fields fields = to_fields(test::throttle("a", "203.0.113.9", 7));
  const FieldViews got = views(fields);
  EXPECT_THAT(got, testing::ElementsAre(
                       testing::Pair("schema", "1"), testing::Pair("origin", "Manual"),
                       testing::Pair("targets", "203.0.113.9"), testing::Pair("action", "Throttle"),
                       testing::Pair("reason", "sends to dead addresses"),
                       testing::Pair("revision", "7"), testing::Pair("limit", "100"),
                       testing::Pair("period", "1h"), testing::Pair("burst", "20"),
                       testing::Pair("unit", "recipients"), testing::Pair("per", "address")));
}

TEST(RedisRecord, RefusesWhatItDoesNotFullyUnderstand) {
  const struct {
    const char* field;
    const char* text;  // null: the field is left out
    const char* want;
  } rows[] = {
      {"schema", "2", "schema: is \"2\""},
      {"schema", nullptr, "schema: missing"},
      {"action", "Explode", "action: unknown value \"Explode\""},
      {"mode", "", "mode: unknown value"},
      {"origin", "Aliens", "origin: unknown value"},
      {"unit", "bytes", "unit: unknown value"},
      {"per", "planet", "per: unknown value"},
      {"colour", "red", "colour: unknown field"},
      {"targets", "203.0.113.9/24", "targets: "},
      {"targets", "203.0.113.9\n", "targets: "},
      {"limit", "ten", "limit: bad number"},
      {"limit", "4294967296", "limit: bad number"},
      {"burst", "-1", "burst: bad number"},
      {"priority", "1.5", "priority: bad number"},
      {"period", "60", "period: unknown value"},
      {"ends", "tomorrow", "ends: unknown value"},
      {"sender_domains", "a..b", "sender_domains: "},
      {"sasl_users", "", "sasl_users: "},
      {"targets", nullptr, "targets"},
      {"reason", nullptr, "reason"},
  };
  const Fields good = to_fields(test::throttle("a", "203.0.113.9", 7));
  for (const auto& row : rows) {
    FieldViews fields = views(good);
    std::erase_if(fields, [&](const auto& field) { return field.first == row.field; });
    if (row.text != nullptr) fields.emplace_back(row.field, row.text);
    const auto got = mitigation_from_fields("a", fields);
    ASSERT_FALSE(got.ok()) << row.field << '=' << (row.text != nullptr ? row.text : "none");
    EXPECT_THAT(got.problem(), testing::StartsWith(row.want));
  }
  EXPECT_FALSE(mitigation_from_fields("A name", views(good)).ok());
  EXPECT_FALSE(exemption_from_fields("nonsense", {{"schema", "1"}, {"reason", "x"}}).ok());
}

}  // namespace
}  // namespace ipmit::schema
