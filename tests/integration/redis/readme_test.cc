// SPDX-License-Identifier: Apache-2.0
// schema/README.md shows Redis as a redis-cli session; here it is replayed.
#include <sstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/error.h"
#include "milter/redis_limiter.h"
#include "schema/redis_hits.h"
#include "schema/redis_publisher.h"
#include "schema/redis_signs.h"
#include "schema/redis_source.h"
#include "tests/support/sample_rules.h"
#include "tests/support/temp_redis.h"

namespace ipmit {
namespace {

struct Exchange {
  std::string command;
  std::string output;  // "…" stands for any text
};

std::vector<Exchange> read_session(const std::string& page) {
  std::vector<Exchange> session;
  std::istringstream lines(page);
  bool inside = false;
  const std::string_view prompt = "redis> ";
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("```")) {
      inside = line == "```redis";
    } else if (inside && line.starts_with(prompt)) {
      session.push_back({line.substr(prompt.size()), ""});
    } else if (inside && !session.empty()) {
      session.back().output += line + "\n";
    }
  }
  return session;
}

bool matches(std::string_view text, std::string_view pattern) {
  constexpr std::string_view kAny = "…";
  const std::size_t at = pattern.find(kAny);
  if (at == std::string_view::npos) return text == pattern;
  if (text.substr(0, at) != pattern.substr(0, at)) return false;
  const std::string_view rest = pattern.substr(at + kAny.size());
  for (std::size_t skipped = at; skipped <= text.size(); ++skipped)
    if (matches(text.substr(skipped), rest)) return true;
  return false;
}

policy::Mitigation rule(std::string name, std::string_view target, std::uint64_t revision) {
  auto result = test::reject(std::move(name), target, revision);
  result.origin = policy::Origin::kDetector;
  result.ends = test::at("2106-11-25T18:00:00Z");
  return result;
}

void use_as_milter(const schema::RedisOptions& options) {
  schema::RedisConnection connection(options);
  schema::MilterSign sign;
  sign.id = "mx1.example.com/812";
  sign.host = "mx1.example.com";
  sign.version = "0.1.0";
  sign.state = "fresh";
  sign.epoch = schema::cache_head(connection).epoch;
  sign.revision = 4712;
  sign.rules = 2;
  sign.confirmed = "2026-11-25T17:30:00Z";
  sign.since = "2026-11-25T17:00:00Z";
  schema::announce_milter(connection, sign, std::chrono::minutes(10));

  common::Metrics metrics;
  milter::RedisLimiter::Options limiter_options;
  limiter_options.redis = options;
  limiter_options.deadline = schema::Duration(5'000);
  milter::RedisLimiter limiter(limiter_options, metrics);
  ASSERT_TRUE(test::wait_until([&] { return limiter.is_shared(); }));
  const policy::RateLimit limit{100, std::chrono::hours(1), 100, policy::RateUnit::kMessages,
                                policy::RateKey::kAddress};
  const std::vector<policy::Charge> charges = {{0, "mail/det-7f3a 203.0.113.9", limit, 1}};
  ASSERT_TRUE(limiter.charge(charges, common::now()).ok());
  EXPECT_TRUE(limiter.is_shared());
}

void use_as_controller(const schema::RedisOptions& options) {
  schema::RedisConnection connection(options);
  schema::ControllerSign sign;
  sign.id = "db1.example.com/407";
  sign.host = "db1.example.com";
  sign.version = "0.1.0";
  sign.state = "leads";
  sign.revision = 4712;
  sign.since = "2026-11-25T16:00:00Z";
  sign.last_error = "2026-11-25T16:30:00Z redis 10.0.0.11:6379: connection refused";
  schema::announce_controller(connection, sign, std::chrono::minutes(10));
}

void fill(const schema::RedisOptions& options) {
  policy::MitigationSet::Source rules;
  rules.mitigations = {rule("mail/det-7f3a", "203.0.113.9", 4711)};
  auto& throttle = rules.mitigations[0];
  throttle.targets.push_back(test::target("user:alice@example.com"));
  throttle.action = policy::Action::kThrottle;
  throttle.rate_limit = policy::RateLimit{100, std::chrono::hours(1), 100,
                                          policy::RateUnit::kMessages, policy::RateKey::kAddress};
  throttle.reason = "37 of 50 recipients unknown";
  rules.exemptions = {{test::target("198.51.100.0/24"), "office", std::nullopt, 4000}};
  rules.revision = 4711;
  schema::RedisPublisher publisher(options);
  const auto report =
      publisher.reconcile(rules, schema::RedisPublisher::Depth::kIndex, common::now());
  auto second = rule("mail/det-80c1", "203.0.113.0/24", 4712);
  second.scope.sender_domains = {*test::target("domain:example.org").domain()};
  publisher.publish(report.epoch, 4711, std::vector<schema::Change>{{4712, second}}, 4712);

  use_as_milter(options);
  use_as_controller(options);
}

TEST(SchemaReadme, ShowsWhatRedisHolds) {
  const test::TempRedis redis;
  schema::RedisOptions options;
  options.url = *schema::parse_redis_url(redis.unix_url());
  fill(options);
  const auto session = read_session(test::read_file(IPMIT_SOURCE_DIR "/schema/README.md"));
  ASSERT_GE(session.size(), 10U);
  for (const auto& [command, want] : session) {
    const auto result = test::run_command({"redis-cli", "--no-raw", "-s", redis.socket()}, command);
    EXPECT_TRUE(matches(result.output, want)) << "redis> " << command << "\n" << result.output;
  }

  // The users made there have all the rights they need, and the milter's no more.
  const test::TempDir files("readme");
  test::write_file(files / "password", "secret");
  options.url.user = "milter";
  options.password_file = files / "password";
  schema::RedisSource source(options);
  EXPECT_EQ(source.load().set.mitigations.size(), 2U);
  EXPECT_FALSE(source.wait_for_change(schema::Duration(1), {}));
  use_as_milter(options);
  schema::RedisHits(options).add({{"mail/det-7f3a", 1, common::now()}});
  schema::RedisConnection connection(options);
  schema::withdraw_milter(connection, "mx1.example.com/812");
  for (const std::string_view key : {"ipmit:revision", "ipmit:mitigation:mail/det-7f3a"})
    EXPECT_THROW(connection.command({"DEL", key}), common::PermanentError) << key;

  auto rules = source.load().set;
  rules.mitigations.pop_back();
  options.url.user = "controller";
  use_as_controller(options);
  schema::RedisPublisher publisher(options);
  const auto depth = schema::RedisPublisher::Depth::kContent;
  EXPECT_EQ(publisher.reconcile(rules, depth, common::now()).extra, 1U);
  EXPECT_EQ(publisher.reconcile(rules, depth, common::now()).repaired(), 0U);
  rules.revision = 1;
  EXPECT_TRUE(publisher.reconcile(rules, depth, common::now()).new_epoch);
}

}  // namespace
}  // namespace ipmit
