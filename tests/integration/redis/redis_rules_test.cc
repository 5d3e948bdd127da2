// SPDX-License-Identifier: Apache-2.0
// Rules on their way through Redis: RedisPublisher writes, RedisSource reads, a human looks with
// redis-cli.
#include <algorithm>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/error.h"
#include "schema/redis_publisher.h"
#include "schema/redis_source.h"
#include "tests/support/sample_rules.h"
#include "tests/support/temp_redis.h"

namespace ipmit::schema {
namespace {

using common::TransientError;
using policy::MitigationSet;
using test::TempRedis;
using testing::HasSubstr;
using Depth = RedisPublisher::Depth;

RedisOptions options(const TempRedis& redis) {
  RedisOptions result;
  result.url = *parse_redis_url(redis.unix_url());
  result.command_deadline = Duration(5'000);
  result.first_retry = result.most_retry = Duration(5);
  return result;
}

MitigationSet::Source sample() {
  MitigationSet::Source source;
  source.mitigations = {test::full_rule("det/full", 41), test::reject("plain", "192.0.2.1", 7),
                        test::throttle("v6", "2001:db8::/32", 8)};
  source.exemptions = {{test::target("198.51.100.0/24"), "partner", std::nullopt, 42},
                       {test::target("user:bob"), "boss", test::at("2106-01-01T00:00:00Z"), 3}};
  source.revision = 42;
  return source;
}

void sort(MitigationSet::Source& source) {
  std::sort(source.mitigations.begin(), source.mitigations.end(),
            [](const auto& a, const auto& b) { return a.name < b.name; });
  std::sort(source.exemptions.begin(), source.exemptions.end(),
            [](const auto& a, const auto& b) { return a.target < b.target; });
}

void expect_same(MitigationSet::Source got, MitigationSet::Source want) {
  sort(got);
  sort(want);
  EXPECT_EQ(got.revision, want.revision);
  EXPECT_EQ(got.mitigations, want.mitigations);
  EXPECT_EQ(got.exemptions, want.exemptions);
}

class RedisRules : public testing::Test {
 protected:
  // Redis holds sample(), and the source has loaded it.
  void SetUp() override {
    epoch_ = reconcile(sample()).epoch;
    expect_same(source_.load().set, sample());
  }
  RedisPublisher::Report reconcile(const MitigationSet::Source& wanted,
                                   Depth depth = Depth::kContent) {
    return publisher_.reconcile(wanted, depth, common::now());
  }
  bool changed() { return source_.wait_for_change(Duration(20'000), {}); }
  bool silent() { return !source_.wait_for_change(Duration(1), {}); }

  TempRedis redis_;
  RedisPublisher publisher_{options(redis_)};
  RedisSource source_{options(redis_)};
  std::string epoch_;
};

TEST_F(RedisRules, AreReadableWithRedisCli) {
  EXPECT_EQ(redis_.cli({"SMEMBERS", "ipmit:target:203.0.113.0/24"}), "det/full");
  EXPECT_EQ(redis_.cli({"SMEMBERS", "ipmit:target:user:alice smith@example.com"}), "det/full");
  EXPECT_EQ(redis_.cli({"HGET", "ipmit:mitigation:det/full", "period"}), "1h");
  EXPECT_EQ(redis_.cli({"HGET", "ipmit:exemption:198.51.100.0/24", "reason"}), "partner");
  EXPECT_EQ(redis_.cli({"ZRANGE", "ipmit:mitigations", "0", "-1", "WITHSCORES"}),
            "plain\n7\nv6\n8\ndet/full\n41");
  EXPECT_EQ(redis_.cli({"GET", "ipmit:revision"}), "42");
  EXPECT_EQ(redis_.cli({"GET", "ipmit:epoch"}), epoch_);
}

TEST_F(RedisRules, ExpireADayAfterTheyEnd) {
  const auto end = std::stoll(redis_.cli({"PEXPIRETIME", "ipmit:mitigation:det/full"}));
  const auto want = test::at("2106-11-26T18:00:00Z").time_since_epoch().count();
  EXPECT_EQ(end, want);
  EXPECT_EQ(redis_.cli({"PEXPIRETIME", "ipmit:target:192.0.2.9"}), std::to_string(want));
  EXPECT_EQ(redis_.cli({"PTTL", "ipmit:mitigation:plain"}), "-1");
  auto endless = test::reject("endless", "192.0.2.9", 43);
  ASSERT_TRUE(publisher_.publish(epoch_, 42, std::vector<Change>{{43, endless}}, 43));
  EXPECT_EQ(redis_.cli({"PTTL", "ipmit:target:192.0.2.9"}), "-1") << "a name in it never ends";

  auto wanted = sample();
  wanted.mitigations.push_back(test::reject("over", "192.0.2.7", 44));
  wanted.mitigations.back().ends = common::now() - std::chrono::hours(25);
  wanted.revision = 44;
  EXPECT_EQ(reconcile(wanted).missing, 0U) << "Redis would forget it at once";
}

// Several pages of both kinds, some of which cannot be read, and changes right after the first
// load.
TEST_F(RedisRules, AreLoadedPageByPage) {
  auto want = test::bulk_rules(100, 5'000);
  for (int i = 0; i < 2'500; ++i)
    want.exemptions.push_back(
        {test::target("user:u" + std::to_string(i)), "partner", std::nullopt, 5'100U});
  want.revision = 5'100;
  reconcile(want);
  redis_.cli({"HSET", "ipmit:mitigation:bulk-700", "action", "Vanish"});
  redis_.cli({"DEL", "ipmit:mitigation:bulk-701"});
  std::erase_if(want.mitigations, [](const auto& rule) {
    return rule.name == "bulk-700" || rule.name == "bulk-701";
  });
  RedisSource fresh(options(redis_));
  const auto loaded = fresh.load();
  EXPECT_EQ(loaded.skipped, 1U);
  expect_same(loaded.set, want);

  want.mitigations[0] = test::throttle("bulk-100", "192.0.2.2", 5'101);
  const std::vector<Change> changes = {{5'101, want.mitigations[0]},
                                       {5'102, Change::Removed{"bulk-5099"}}};
  want.mitigations.pop_back();
  want.revision = 5'102;
  const std::string epoch = redis_.cli({"GET", "ipmit:epoch"});
  ASSERT_TRUE(publisher_.publish(epoch, 5'100, changes, 5'102));
  EXPECT_TRUE(fresh.wait_for_change(Duration(20'000), {}));
  expect_same(fresh.load().set, want);
}

// Whoever writes an index by hand may give all its members one revision.
TEST_F(RedisRules, AreLoadedWhateverTheIndexSays) {
  auto want = test::bulk_rules(100, 7'000);
  reconcile(want);
  redis_.cli({"EVAL",
              "for _, name in ipairs(redis.call('ZRANGE', 'ipmit:mitigations', 0, ARGV[1])) do "
              "redis.call('ZADD', 'ipmit:mitigations', 99, name) end",
              "0", "5999"});
  RedisSource fresh(options(redis_));
  expect_same(fresh.load().set, want);
  redis_.cli(
      {"ZADD", "ipmit:mitigations", "+inf", "bulk-100", "-inf", "bulk-101", "1.5", "bulk-102"});
  RedisSource another(options(redis_));
  expect_same(another.load().set, want);
}

TEST_F(RedisRules, FollowTheChanges) {
  EXPECT_TRUE(silent());
  auto want = sample();
  want.mitigations[1] = test::throttle("plain", "192.0.2.2", 43);
  want.mitigations.erase(want.mitigations.begin());
  want.exemptions = {{test::target("domain:example.org"), "us", std::nullopt, 47}};
  want.revision = 50;
  const std::vector<Change> changes = {
      {43, want.mitigations[0]},
      {44, Change::Removed{"det/full"}},
      {45, Change::Unexempted{"198.51.100.0/24"}},
      {46, Change::Unexempted{"user:bob"}},
      {47, want.exemptions[0]},
  };
  const std::string scanned = redis_.cli({"INFO", "commandstats"});
  ASSERT_TRUE(publisher_.publish(epoch_, 42, changes, 50));
  EXPECT_TRUE(changed());
  expect_same(source_.load().set, want);
  EXPECT_TRUE(silent());
  const auto scans = [](const std::string& info) {
    const auto at = info.find("cmdstat_zrangebyscore:calls=");
    return info.substr(at, info.find(',', at) - at);
  };
  EXPECT_EQ(scans(redis_.cli({"INFO", "commandstats"})), scans(scanned)) << "read only the changes";
  EXPECT_EQ(redis_.cli({"EXISTS", "ipmit:target:192.0.2.1", "ipmit:target:203.0.113.0/24",
                        "ipmit:mitigation:det/full", "ipmit:exemption:user:bob"}),
            "0");

  ASSERT_TRUE(publisher_.publish(epoch_, 50, {}, 51));
  EXPECT_TRUE(changed()) << "a revision that changes no rule is still to be enforced";
  EXPECT_EQ(source_.load().set.revision, 51U);
}

TEST_F(RedisRules, FollowManyChangesAtOnce) {
  auto bulk = test::bulk_rules(100, 3'000);
  std::vector<Change> changes;
  for (const auto& rule : bulk.mitigations) changes.push_back({rule.revision, rule});
  ASSERT_TRUE(publisher_.publish(epoch_, 42, changes, bulk.revision));
  auto want = sample();
  want.mitigations.insert(want.mitigations.end(), bulk.mitigations.begin(), bulk.mitigations.end());
  want.revision = bulk.revision;
  EXPECT_TRUE(changed());
  expect_same(source_.load().set, want);
}

// A change may come between any two questions of a load: it is in it whole, or not at all.
TEST_F(RedisRules, AreAllThereAtTheRevisionThatALoadNames) {
  constexpr std::uint64_t kLast = 3'042;
  std::jthread writer([this] {
    RedisPublisher publisher(options(redis_));
    for (std::uint64_t at = 42; at < kLast; ++at)
      publisher.publish(epoch_, at,
                        std::vector<Change>{{at + 1, test::bulk_rules(at + 1, 1).mitigations[0]}},
                        at + 1);
  });
  std::uint64_t revision = 42;
  while (revision < kLast) {
    const auto loaded = source_.load();
    revision = loaded.set.revision;
    ASSERT_EQ(loaded.set.mitigations.size(), sample().mitigations.size() + revision - 42);
  }
}

TEST_F(RedisRules, ArePublishedOnlyOnTopOfWhatIsThere) {
  const std::vector<Change> one = {{43, test::reject("new", "192.0.2.8", 43)}};
  EXPECT_FALSE(publisher_.publish("other", 42, one, 43));
  EXPECT_FALSE(publisher_.publish(epoch_, 41, one, 43));
  EXPECT_EQ(redis_.cli({"EXISTS", "ipmit:mitigation:new"}), "0") << "refused whole";
  EXPECT_TRUE(publisher_.publish(epoch_, 42, one, 43));
  EXPECT_FALSE(publisher_.publish(epoch_, 42, one, 43)) << "done already";
  redis_.cli({"FLUSHALL"});
  EXPECT_FALSE(publisher_.publish(epoch_, 43, one, 44));
}

TEST_F(RedisRules, RepairsEveryDrift) {
  EXPECT_EQ(reconcile(sample()).repaired(), 0U);
  const struct {
    const char* sentence;
    test::Arguments damage;
    std::size_t missing, extra, altered;
  } rows[] = {
      {"a record removed", {"DEL", "ipmit:mitigation:plain"}, 0, 0, 1},
      {"a name removed from the index", {"ZREM", "ipmit:mitigations", "plain"}, 1, 0, 0},
      {"a name added to the index", {"ZADD", "ipmit:mitigations", "9", "ghost"}, 0, 1, 0},
      {"an older revision", {"ZADD", "ipmit:mitigations", "6", "plain"}, 0, 0, 1},
      {"a field altered", {"HSET", "ipmit:mitigation:v6", "action", "Discard"}, 0, 0, 1},
      {"a field added", {"HSET", "ipmit:mitigation:v6", "mode", "DryRun"}, 0, 0, 1},
      {"a field removed", {"HDEL", "ipmit:mitigation:v6", "per"}, 0, 0, 1},
      {"a target's set removed", {"DEL", "ipmit:target:192.0.2.1"}, 0, 0, 1},
      {"a name added to a target", {"SADD", "ipmit:target:192.0.2.1", "v6"}, 0, 1, 0},
      {"a target of nobody", {"SADD", "ipmit:target:192.0.2.77", "v6"}, 0, 1, 0},
      {"an exemption removed", {"DEL", "ipmit:exemption:user:bob"}, 0, 0, 1},
      {"an exemption lost", {"ZREM", "ipmit:exemptions", "user:bob"}, 1, 0, 0},
      {"an exemption added", {"ZADD", "ipmit:exemptions", "1", "user:eve"}, 0, 1, 0},
  };
  for (const auto& row : rows) {
    redis_.cli(row.damage);
    const auto report = reconcile(sample());
    EXPECT_EQ(report.missing, row.missing) << row.sentence;
    EXPECT_EQ(report.extra, row.extra) << row.sentence;
    EXPECT_EQ(report.altered, row.altered) << row.sentence;
    EXPECT_FALSE(report.new_epoch) << row.sentence;
    EXPECT_EQ(reconcile(sample()).repaired(), 0U) << row.sentence;
    source_.wait_for_change(Duration(0), {});
    expect_same(source_.load().set, sample());
  }
}

TEST_F(RedisRules, SurviveAFlush) {
  redis_.cli({"FLUSHALL"});
  EXPECT_TRUE(changed());
  try {
    source_.load();
    ADD_FAILURE() << "an empty Redis is not an empty rule set";
  } catch (const TransientError& error) {
    EXPECT_THAT(error.what(), HasSubstr("no ipmit:epoch"));
  }
  const auto report = reconcile(sample(), Depth::kIndex);
  EXPECT_TRUE(report.new_epoch);
  EXPECT_NE(report.epoch, epoch_);
  const auto loaded = source_.load();
  expect_same(loaded.set, sample());
  EXPECT_EQ(loaded.epoch, report.epoch);
}

TEST_F(RedisRules, AreNotReadWhileTheyAreFilledIn) {
  redis_.cli({"DEL", "ipmit:epoch"});
  EXPECT_TRUE(changed());
  EXPECT_THROW(source_.load(), TransientError);
}

TEST_F(RedisRules, SurviveARestartWithAnOlderDump) {
  redis_.save();
  std::vector<Change> changes = {{43, test::reject("new", "192.0.2.8", 43)}};
  ASSERT_TRUE(publisher_.publish(epoch_, 42, changes, 43));
  ASSERT_TRUE(changed());
  ASSERT_EQ(source_.load().set.revision, 43U);
  redis_.kill();
  EXPECT_THROW(source_.wait_for_change(Duration(20'000), {}), TransientError);
  redis_.start();

  MitigationSource::Loaded older;
  ASSERT_TRUE(test::wait_until([&] {
    try {
      older = source_.load();
      return true;
    } catch (const TransientError&) {
      return false;  // the breaker: its retry is not due
    }
  }));
  expect_same(older.set, sample());
  EXPECT_EQ(older.epoch, epoch_) << "by which readers know it for older";
  auto want = sample();
  want.mitigations.push_back(std::get<policy::Mitigation>(changes[0].what));
  want.revision = 43;
  RedisPublisher publisher(options(redis_));  // the other one's connection is broken
  EXPECT_EQ(publisher.reconcile(want, Depth::kIndex, common::now()).missing, 1U);
  EXPECT_TRUE(changed());
  expect_same(source_.load().set, want);
}

TEST_F(RedisRules, BeginANewEpochWhenTheStoreWentBack) {
  auto older = sample();
  older.revision = 30;
  older.mitigations.erase(older.mitigations.begin());
  const auto report = reconcile(older);
  EXPECT_TRUE(report.new_epoch);
  EXPECT_TRUE(changed());
  const auto loaded = source_.load();
  EXPECT_EQ(loaded.epoch, report.epoch);
  expect_same(loaded.set, older);
}

// A server that failed over without its last changes gave their revisions to others: not even the
// same name at the same revision is the same.
TEST_F(RedisRules, BeginANewEpochForAnotherHistoryOfTheStore) {
  const auto fill = [&](const MitigationSet::Source& wanted, const char* record) {
    return publisher_.reconcile(wanted, Depth::kIndex, common::now(), record);
  };
  EXPECT_TRUE(fill(sample(), "one").new_epoch) << "nobody knows what it was filled from";
  EXPECT_FALSE(fill(sample(), "one").new_epoch);
  EXPECT_EQ(redis_.cli({"GET", "ipmit:record"}), "one");
  auto other = sample();
  other.mitigations[0].reason = "another change";
  const auto report = fill(other, "two");
  EXPECT_TRUE(report.new_epoch);
  EXPECT_EQ(report.altered, 1U) << "though names and revisions are equal";
  EXPECT_EQ(redis_.cli({"GET", "ipmit:record"}), "two");
  EXPECT_TRUE(changed());
  expect_same(source_.load().set, other);
}

TEST_F(RedisRules, AreReadAgainAfterAGapInTheChanges) {
  ASSERT_TRUE(publisher_.publish(
      epoch_, 42, std::vector<Change>{{43, test::reject("lost", "192.0.2.8", 43)}}, 43));
  redis_.cli({"XTRIM", "ipmit:changes", "MAXLEN", "0"});
  EXPECT_TRUE(changed());
  EXPECT_EQ(source_.load().set.mitigations.size(), 4U);

  ASSERT_TRUE(publisher_.publish(epoch_, 43, {}, 44));
  redis_.cli({"XTRIM", "ipmit:changes", "MAXLEN", "0"});
  ASSERT_TRUE(
      publisher_.publish(epoch_, 44, std::vector<Change>{{45, Change::Removed{"lost"}}}, 45));
  EXPECT_TRUE(changed());
  const auto loaded = source_.load();
  EXPECT_EQ(loaded.set.revision, 45U);
  EXPECT_EQ(loaded.set.mitigations.size(), 3U);
}

TEST_F(RedisRules, SkipWhatCannotBeRead) {
  ASSERT_TRUE(publisher_.publish(
      epoch_, 42, std::vector<Change>{{43, test::reject("odd", "192.0.2.8", 43)}}, 43));
  redis_.cli({"HSET", "ipmit:mitigation:odd", "action", "Explode"});
  ASSERT_TRUE(changed());
  auto loaded = source_.load();
  EXPECT_EQ(loaded.skipped, 1U);
  EXPECT_EQ(loaded.set.mitigations.size(), 3U);
  ASSERT_TRUE(publisher_.publish(
      epoch_, 43, std::vector<Change>{{44, test::reject("odd", "192.0.2.8", 44)}}, 44));
  ASSERT_TRUE(changed());
  loaded = source_.load();
  EXPECT_EQ(loaded.skipped, 0U);
  EXPECT_EQ(loaded.set.mitigations.size(), 4U);
}

TEST_F(RedisRules, AreReadByAUserWithoutWriteRights) {
  redis_.cli({"ACL", "SETUSER", "milter", "on", ">pw", "~ipmit:*", "+@read", "+@connection"});
  const test::TempDir files("password");
  test::write_file(files / "password", "pw\n");
  RedisOptions user = options(redis_);
  user.url.user = "milter";
  user.password_file = files / "password";
  RedisSource source(user);
  expect_same(source.load().set, sample());
  EXPECT_FALSE(source.wait_for_change(Duration(1), {}));
}

}  // namespace
}  // namespace ipmit::schema
