// SPDX-License-Identifier: Apache-2.0
#include "k8s/controller/projection.h"

#include <functional>
#include <set>

#include <gtest/gtest.h>

#include "schema/redis_hits.h"
#include "schema/redis_source.h"
#include "schema/redis_url.h"
#include "tests/support/process.h"
#include "tests/support/temp_redis.h"

namespace ipmit::controller {
namespace {

using policy::Action;
using policy::Mitigation;

const schema::ChangeNote kNote{"tester", "a test"};

schema::RedisOptions options_for(const test::TempRedis& redis) {
  schema::RedisOptions options;
  options.url = *schema::parse_redis_url(redis.url());
  options.first_retry = options.most_retry = common::Duration(1);
  options.command_deadline = common::Duration(500);
  return options;
}

Mitigation rule(const std::string& name, const std::string& target) {
  Mitigation mitigation;
  mitigation.name = name;
  mitigation.targets = {*policy::Target::parse(target)};
  mitigation.action = Action::kDefer;
  mitigation.reason = "test";
  return mitigation;
}

// The embedded store stands in for nothing here: the projection takes any Store, and one contract
// holds all of them.
class ProjectionTest : public testing::Test {
 protected:
  ProjectionTest() {
    store_ = schema::open_store("sqlite:" + (directory_ / "record.db").string(), true);
    projection_.emplace(*store_, publisher_, last_error_, metrics_);
  }

  void add(const std::string& name, const std::string& target) {
    Mitigation mitigation = rule(name, target);
    ASSERT_EQ(store_->put(mitigation, schema::PutMode::kAddOrReplace, kNote, common::now()),
              schema::PutResult::kAdded);
  }

  // What a milter that starts now would enforce.
  std::vector<std::string> in_cache() {
    schema::RedisSource source(options_for(redis_));
    std::vector<std::string> names;
    for (const Mitigation& mitigation : source.load().set.mitigations) {
      names.push_back(mitigation.name);
    }
    std::sort(names.begin(), names.end());
    return names;
  }

  using Names = std::vector<std::string>;

  test::TempDir directory_{"projection"};
  test::TempRedis redis_;
  common::Metrics metrics_;
  LastError last_error_;
  std::unique_ptr<schema::Store> store_;
  schema::RedisPublisher publisher_{options_for(redis_)};
  std::optional<Projection> projection_;
};

TEST_F(ProjectionTest, FollowsAdditionsAndReleases) {
  ASSERT_TRUE(projection_->follow(common::now()));
  EXPECT_EQ(in_cache(), Names{});
  add("a", "203.0.113.1");
  add("b", "203.0.113.2");
  ASSERT_TRUE(projection_->follow(common::now()));
  EXPECT_EQ(in_cache(), (Names{"a", "b"}));
  ASSERT_TRUE(store_->release("a", {}, kNote, common::now()));
  ASSERT_TRUE(projection_->follow(common::now()));
  EXPECT_EQ(in_cache(), Names{"b"});
  EXPECT_EQ(projection_->revision(), store_->revision());
}

TEST_F(ProjectionTest, RepairsWhateverHappenedToTheCache) {
  for (int i = 1; i <= 3; ++i) {
    add("rule-" + std::to_string(i), "203.0.113." + std::to_string(i));
  }
  const Names all{"rule-1", "rule-2", "rule-3"};
  ASSERT_TRUE(projection_->follow(common::now()));
  redis_.save();
  struct Case {
    const char* sentence;
    std::function<void()> damage;
  };
  const std::vector<Case> cases{
      {"flushed", [&] { redis_.cli({"FLUSHALL"}); }},
      {"a record lost",
       [&] {
         redis_.cli({"DEL", "ipmit:mitigation:rule-2"});
       }},
      {"a record altered",
       [&] {
         redis_.cli({"HSET", "ipmit:mitigation:rule-2", "action", "Reject"});
       }},
      {"a target's set emptied",
       [&] {
         redis_.cli({"DEL", "ipmit:target:203.0.113.2"});
       }},
      {"restarted from an older dump",
       [&] {
         redis_.kill();
         redis_.start();
       }},
      {"revision lost",
       [&] {
         redis_.cli({"DEL", "ipmit:revision"});
       }},
  };
  for (const Case& c : cases) {
    c.damage();
    const common::TimePoint now = common::now();
    ASSERT_TRUE(test::wait_until([&] { return projection_->follow(now); })) << c.sentence;
    ASSERT_TRUE(projection_->verify(now)) << c.sentence;
    EXPECT_EQ(in_cache(), all) << c.sentence;
    EXPECT_EQ(redis_.cli({"HGET", "ipmit:mitigation:rule-2", "action"}), "Defer") << c.sentence;
    EXPECT_EQ(redis_.cli({"SMEMBERS", "ipmit:target:203.0.113.2"}), "rule-2") << c.sentence;
    const auto report =
        publisher_.reconcile(store_->load().set, schema::RedisPublisher::Depth::kContent, now);
    EXPECT_EQ(report.repaired(), 0U) << c.sentence << ": everything was put right the first time";
  }
}

TEST_F(ProjectionTest, ALostCacheIsSaidAndMadeUpFor) {
  ASSERT_TRUE(projection_->follow(common::now()));
  redis_.kill();
  add("while-down", "203.0.113.7");
  EXPECT_FALSE(projection_->follow(common::now()));
  EXPECT_FALSE(projection_->in_step());
  redis_.start();
  EXPECT_TRUE(test::wait_until([&] { return projection_->follow(common::now()); }));
  EXPECT_EQ(in_cache(), Names{"while-down"});
}

TEST_F(ProjectionTest, HitsAreMovedOnceAndNoneIsLost) {
  schema::RedisHits hits(options_for(redis_));
  const common::TimePoint earlier(std::chrono::seconds(1'000));
  const common::TimePoint later(std::chrono::seconds(2'000));
  EXPECT_TRUE(hits.take().hits.empty());
  hits.add({{"a", 2, later}, {"b", 1, earlier}});
  hits.add({{"a", 3, earlier}});
  std::set<std::string> batch;
  for (int again = 0; again < 2; ++again) {  // the same until they are forgotten
    const auto taken = hits.take();
    ASSERT_EQ(taken.hits.size(), 2U);
    EXPECT_EQ(taken.hits[0].name, "a");
    EXPECT_EQ(taken.hits[0].count, 5U);
    EXPECT_EQ(taken.hits[0].last, later);
    batch.insert(taken.name);
  }
  EXPECT_EQ(batch.size(), 1U) << "and under one name";
  hits.add({{"a", 1, later}});  // comes in between: stays for the next time
  hits.forget("another");
  EXPECT_EQ(hits.take().name, *batch.begin());
  hits.forget(*batch.begin());
  const auto rest = hits.take();
  ASSERT_EQ(rest.hits.size(), 1U);
  EXPECT_EQ(rest.hits[0].count, 1U);
  EXPECT_FALSE(batch.contains(rest.name));
  hits.forget(*batch.begin());  // late, and of another batch
  EXPECT_EQ(hits.take().name, rest.name);
}

}  // namespace
}  // namespace ipmit::controller
