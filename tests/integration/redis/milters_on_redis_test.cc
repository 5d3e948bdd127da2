// SPDX-License-Identifier: Apache-2.0
// Five milters' rule feeds on one Redis, and what happens to them when it fails in every way.
#include <memory>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/error.h"
#include "milter/announcer.h"
#include "milter/decision_state.h"
#include "milter/rule_feed.h"
#include "schema/redis_publisher.h"
#include "schema/redis_signs.h"
#include "schema/redis_source.h"
#include "tests/support/sample_rules.h"
#include "tests/support/temp_redis.h"

namespace ipmit::milter {
namespace {

using policy::MitigationSet;
using schema::RedisOptions;
using schema::RedisPublisher;
using test::TempRedis;
using test::wait_until;

constexpr std::size_t kMilters = 5;

RedisOptions options(const std::string& url) {
  RedisOptions result;
  result.url = *schema::parse_redis_url(url);
  result.first_retry = Duration(10);
  result.most_retry = Duration(100);
  return result;
}

// The rule feed of one milter and its sign of life.
class Milter {
 public:
  Milter(const std::string& url, const std::filesystem::path& file) {
    RuleFeed::Options feed;
    feed.snapshot_file = file;
    feed.most_retry = Duration(200);
    feed_ = std::make_unique<RuleFeed>(
        feed, [url] { return std::make_unique<schema::RedisSource>(options(url)); }, metrics_);
    feed_->start();
    Announcer::Options announcer;
    announcer.redis = options(url);
    announcer.host = "mx.example.com";
    announcer.version = "1";
    announcer_ = std::make_unique<Announcer>(announcer, *feed_,
                                             [this](std::uint32_t count) { alive_ = count; });
  }
  const RuleFeed& feed() const { return *feed_; }
  std::uint32_t alive() const { return alive_; }

 private:
  common::Metrics metrics_;
  std::unique_ptr<RuleFeed> feed_;
  std::atomic<std::uint32_t> alive_{0};
  std::unique_ptr<Announcer> announcer_;
};

class MiltersOnRedis : public testing::Test {
 protected:
  void start(const std::string& url) {
    url_ = url;
    store_ = test::bulk_rules(1, 1'000);
    reconcile();
    for (std::size_t i = 0; i < kMilters; ++i)
      milters_.push_back(std::make_unique<Milter>(url, files_ / ("rules-" + std::to_string(i))));
    ASSERT_TRUE(all_enforce());
  }

  // What the controller does until it succeeds.
  void reconcile() {
    ASSERT_TRUE(wait_until([&] {
      try {
        RedisPublisher publisher(options(url_));
        publisher.reconcile(store_, RedisPublisher::Depth::kIndex, common::now());
        return true;
      } catch (const common::TransientError&) {
        return false;
      }
    }));
  }
  void change() {
    auto more = test::bulk_rules(store_.revision + 1, 1);
    store_.mitigations.push_back(more.mitigations[0]);
    store_.revision = more.revision;
  }
  bool all_enforce() const {
    return wait_until([&] {
      for (const auto& milter : milters_) {
        const auto status = milter->feed().status(common::now());
        if (status.revision != store_.revision || status.rules != store_.mitigations.size() ||
            status.state != RuleState::kFresh)
          return false;
      }
      return true;
    });
  }
  bool all_keep_their_rules() const {
    for (const auto& milter : milters_)
      if (milter->feed().rules().current()->size() < 1'000) return false;
    return true;
  }

  test::TempDir files_{"milters"};
  std::string url_;
  MitigationSet::Source store_;
  std::vector<std::unique_ptr<Milter>> milters_;
};

TEST_F(MiltersOnRedis, AllEnforceEveryChange) {
  const TempRedis redis;
  start(redis.unix_url());
  for (int i = 0; i < 20; ++i) {
    change();
    reconcile();
    ASSERT_TRUE(all_enforce()) << i;
  }
}

TEST_F(MiltersOnRedis, SurviveAFlush) {
  const TempRedis redis;
  start(redis.unix_url());
  redis.cli({"FLUSHALL"});
  EXPECT_TRUE(wait_until([&] { return redis.cli({"GET", "ipmit:epoch"}).empty(); }));
  EXPECT_TRUE(all_keep_their_rules());
  change();
  reconcile();
  EXPECT_TRUE(all_enforce());
}

TEST_F(MiltersOnRedis, SurviveARestartWithoutData) {
  TempRedis redis;
  start(redis.unix_url());
  redis.kill();
  EXPECT_TRUE(all_keep_their_rules());
  redis.start();
  change();
  reconcile();
  EXPECT_TRUE(all_enforce());
}

TEST_F(MiltersOnRedis, SurviveAnOlderDump) {
  TempRedis redis;
  start(redis.unix_url());
  redis.save();
  for (int i = 0; i < 3; ++i) change();
  reconcile();
  ASSERT_TRUE(all_enforce());
  redis.kill();
  redis.start();
  EXPECT_EQ(redis.cli({"GET", "ipmit:revision"}), "1000");
  EXPECT_TRUE(all_keep_their_rules());
  for (const auto& milter : milters_)
    EXPECT_EQ(milter->feed().rules().current()->revision(), 1'003U);
  reconcile();
  EXPECT_TRUE(all_enforce());
}

TEST_F(MiltersOnRedis, SurviveAPause) {
  const TempRedis redis;
  start(redis.unix_url());
  redis.pause();
  const TimePoint paused_at = common::now();
  EXPECT_TRUE(wait_until([&] {
    const auto age = milters_[0]->feed().status(common::now()).age;
    return age && *age > std::chrono::seconds(2);
  })) << "the age shows it";
  EXPECT_TRUE(all_keep_their_rules());
  EXPECT_EQ(milters_[0]->feed().state(paused_at + std::chrono::minutes(2)), RuleState::kStale);
  redis.resume();
  change();
  reconcile();
  EXPECT_TRUE(all_enforce());
}

TEST_F(MiltersOnRedis, FollowASentinelFailover) {
  TempRedis first;
  const TempRedis second({"--replicaof", "127.0.0.1", std::to_string(first.port()),
                          "--repl-diskless-sync-delay", "0"});
  const test::TempSentinel sentinel(first);
  ASSERT_TRUE(wait_until([&] { return sentinel.replicas() == 1; }));
  start(sentinel.url());
  first.kill();
  change();
  reconcile();
  EXPECT_TRUE(all_enforce());
  EXPECT_EQ(second.cli({"GET", "ipmit:revision"}), std::to_string(store_.revision));
}

TEST_F(MiltersOnRedis, StartFromTheDiskWhileRedisIsAway) {
  TempRedis redis;
  start(redis.unix_url());
  redis.kill();
  milters_.clear();
  Milter restarted(url_, files_ / "rules-0");
  const auto status = restarted.feed().status(common::now());
  EXPECT_EQ(status.state, RuleState::kFromDisk);
  EXPECT_EQ(status.rules, 1'000U);
  Milter without(url_, files_ / "none");
  EXPECT_EQ(without.feed().state(common::now()), RuleState::kNone);
}

TEST_F(MiltersOnRedis, TellWhatTheyEnforce) {
  const TempRedis redis;
  start(redis.unix_url());
  change();
  reconcile();
  ASSERT_TRUE(all_enforce());
  schema::RedisConnection connection(options(url_));
  const auto signs_agree = [&] {
    const auto signs = schema::live_milters(connection);
    for (const auto& sign : signs)
      if (sign.revision != store_.revision || sign.state != "fresh") return false;
    return signs.size() == kMilters;
  };
  EXPECT_TRUE(wait_until(signs_agree));
  EXPECT_TRUE(wait_until([&] { return milters_[0]->alive() == kMilters; }));
  const auto sign = schema::live_milters(connection).front();
  EXPECT_EQ(sign.host, "mx.example.com");
  EXPECT_EQ(sign.rules, 1'001U);
  EXPECT_TRUE(common::parse_rfc3339(sign.since));
  milters_.pop_back();
  EXPECT_EQ(schema::live_milters(connection).size(), kMilters - 1) << "took its leave";
}

TEST_F(MiltersOnRedis, AreWiredByTheSettings) {
  const TempRedis redis;
  start(redis.unix_url());
  conf::Settings settings;
  settings.store = "postgresql://nowhere.example/ipmit";
  settings.cache = redis.unix_url();
  settings.milter.snapshot_file = files_ / "wired";
  settings.milter.limiter.redis_deadline = Duration(5'000);
  common::Metrics metrics;
  DecisionState state(settings, metrics);
  state.start();
  EXPECT_EQ(state.feed().rules().current()->size(), 1'000U);
  schema::RedisConnection connection(options(url_));
  EXPECT_TRUE(wait_until([&] { return schema::live_milters(connection).size() == kMilters + 1; }));
  state.hit_sink()({{"bulk-7", 3, common::now()}});
  EXPECT_EQ(redis.cli({"HGET", "ipmit:hits", "bulk-7"}), "3");

  const policy::RateLimit hourly{9, std::chrono::hours(1), 9, policy::RateUnit::kMessages,
                                 policy::RateKey::kTarget};
  const std::vector<policy::Charge> one = {{0, "a", hourly, 1}};
  EXPECT_TRUE(wait_until([&] {
    state.limiter().charge(one, common::now());
    return redis.cli({"EXISTS", "ipmit:limit:a:9/1h/9/messages"}) == "1";
  }));
}

}  // namespace
}  // namespace ipmit::milter
