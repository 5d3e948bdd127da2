// SPDX-License-Identifier: Apache-2.0
#include "milter/redis_limiter.h"

#include <atomic>
#include <chrono>
#include <memory>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "tests/support/temp_redis.h"

namespace ipmit::milter {
namespace {

using policy::Charge;
using policy::RateLimit;
using std::chrono::seconds;
using test::TempRedis;
using test::wait_until;

RateLimit limit(std::uint32_t count, Duration period, std::uint32_t burst) {
  return {count, period, burst, policy::RateUnit::kMessages, policy::RateKey::kTarget};
}
Charge charge(std::string key, const RateLimit& rate, std::uint32_t units = 1) {
  return {0, std::move(key), rate, units};
}

// A machine that runs all tests at once may keep Redis waiting longer than mail should wait.
RedisLimiter::Options patient(const TempRedis& redis) {
  RedisLimiter::Options options;
  options.redis.url = *schema::parse_redis_url(redis.unix_url());
  options.deadline = Duration(5'000);
  options.connections = 4;
  options.breaker_failures = 2;
  options.probe_every = Duration(20);
  return options;
}

struct Milter {
  common::Metrics metrics;
  RedisLimiter limiter;
  explicit Milter(const RedisLimiter::Options& options) : limiter(options, metrics) {
    EXPECT_TRUE(wait_until([this] { return limiter.is_shared(); }));
  }
};

int passed(Limiter& limiter, const std::vector<Charge>& charges, int tries) {
  int count = 0;
  for (int i = 0; i < tries; ++i) count += limiter.charge(charges, common::now()).ok() ? 1 : 0;
  return count;
}

TEST(RedisLimiter, FiveMiltersWithWrongClocksShareOneLimitExactly) {
  const TempRedis redis;
  std::vector<std::unique_ptr<Milter>> milters;
  for (int i = 0; i < 5; ++i) milters.push_back(std::make_unique<Milter>(patient(redis)));
  const std::vector<Charge> one = {charge("mail/five 203.0.113.9", limit(100, seconds(10), 100))};
  std::atomic<int> count{0};
  const auto begin = std::chrono::steady_clock::now();
  const auto end = begin + seconds(3);
  {
    std::vector<std::jthread> threads;
    for (std::size_t i = 0; i < 10; ++i) {
      threads.emplace_back([&, i] {
        const Duration wrong = seconds(5) * (static_cast<int>(i % 5) - 2);
        while (std::chrono::steady_clock::now() < end) {
          Limiter& limiter = milters[i % 5]->limiter;
          if (limiter.charge(one, common::now() + wrong).ok()) ++count;
        }
      });
    }
  }
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
  for (const auto& milter : milters) EXPECT_TRUE(milter->limiter.is_shared());
  EXPECT_LE(count, 100 + static_cast<int>(took.count() * 10) + 1);
  EXPECT_GE(count, static_cast<int>((100 + 3 * 10) * 0.99));
}

// Where mail is rare, a failure in a row takes its time, and each of them would wait.
TEST(RedisLimiter, OneFailureIsEnoughIfRedisIsAway) {
  const TempRedis redis;
  auto options = patient(redis);
  options.deadline = Duration(200);
  options.breaker_failures = 4;
  options.check_every = std::chrono::hours(1);
  Milter milter(options);
  const std::vector<Charge> one = {charge("a", limit(9, std::chrono::hours(1), 9))};
  redis.pause();
  EXPECT_TRUE(milter.limiter.charge(one, common::now()).ok());
  EXPECT_TRUE(wait_until([&] { return !milter.limiter.is_shared(); })) << "nobody else asked";
  redis.resume();
  EXPECT_TRUE(wait_until([&] { return milter.limiter.is_shared(); }));
}

TEST(RedisLimiter, ChargesAllOrNone) {
  const TempRedis redis;
  Milter milter(patient(redis));
  const RateLimit slow30 = limit(30, std::chrono::hours(1), 30);
  const RateLimit slow4 = limit(30, std::chrono::hours(1), 4);
  const std::vector<Charge> both = {charge("a", slow30), charge("a", slow4)};
  EXPECT_EQ(passed(milter.limiter, both, 20), 4) << "two limits on one key are two budgets";
  const auto refused = milter.limiter.charge(both, common::now());
  EXPECT_EQ(refused.refused, 1U);
  ASSERT_TRUE(refused.retry_after);
  EXPECT_GT(*refused.retry_after, seconds(100));
  EXPECT_LE(*refused.retry_after, seconds(120));
  EXPECT_EQ(passed(milter.limiter, {both[0]}, 50), 26) << "a refused message charges nothing";
}

TEST(RedisLimiter, ChargesTheSameBudgetTwice) {
  const TempRedis redis;
  Milter milter(patient(redis));
  const RateLimit five = limit(5, std::chrono::hours(1), 5);
  const std::vector<Charge> twice = {charge("a", five), charge("a", five)};
  EXPECT_EQ(passed(milter.limiter, twice, 10), 2);
  EXPECT_EQ(milter.limiter.charge(twice, common::now()).refused, 1U);
  EXPECT_EQ(passed(milter.limiter, {twice[0]}, 10), 1);
}

TEST(RedisLimiter, NeverPassesMoreThanTheBurst) {
  const TempRedis redis;
  Milter milter(patient(redis));
  const RateLimit rate = limit(100, seconds(10), 20);
  const auto result = milter.limiter.charge(std::vector{charge("a", rate, 21)}, common::now());
  EXPECT_EQ(result.refused, 0U);
  EXPECT_FALSE(result.retry_after);
  EXPECT_TRUE(milter.limiter.charge(std::vector{charge("a", rate, 20)}, common::now()).ok());
}

TEST(RedisLimiter, RefundsAndLeavesNoKeyForAFullBudget) {
  const TempRedis redis;
  Milter milter(patient(redis));
  const std::vector<Charge> three = {charge("mail/x 192.0.2.1", limit(9, seconds(3'600), 9), 3)};
  EXPECT_EQ(passed(milter.limiter, three, 10), 3);
  const std::string key = "ipmit:limit:mail/x 192.0.2.1:9/1h/9/messages";
  EXPECT_EQ(redis.cli({"KEYS", "*"}), key);
  const long left = std::stol(redis.cli({"PTTL", key}));
  EXPECT_GT(left, 3'500'000);
  EXPECT_LE(left, 3'600'001) << "gone when it is full again";
  milter.limiter.refund(three, common::now());
  EXPECT_EQ(passed(milter.limiter, three, 10), 1);
  for (int i = 0; i < 5; ++i) milter.limiter.refund(three, common::now());
  EXPECT_EQ(redis.cli({"KEYS", "*"}), "");
}

TEST(RedisLimiter, KeepsItsPartWhileRedisIsDownAndComesBack) {
  TempRedis redis;
  Milter milter(patient(redis));
  milter.limiter.set_live_milters(5);
  const std::vector<Charge> one = {charge("a", limit(100, std::chrono::hours(1), 20))};
  EXPECT_EQ(passed(milter.limiter, one, 30), 20);
  redis.kill();
  EXPECT_EQ(passed(milter.limiter, one, 30), 4) << "a fifth of the burst, from its own counters";
  EXPECT_FALSE(milter.limiter.is_shared());
  redis.start();
  EXPECT_TRUE(wait_until([&] { return milter.limiter.is_shared(); }));
  EXPECT_EQ(passed(milter.limiter, one, 30), 20);
}

TEST(RedisLimiter, AnswersWithinItsDeadlineWhileRedisIsSilent) {
  const TempRedis redis;
  RedisLimiter::Options options = patient(redis);
  Milter milter(options);
  options.deadline = Duration(20);
  Milter hasty(options);
  const std::vector<Charge> one = {charge("a", limit(100, std::chrono::hours(1), 1'000))};
  redis.pause();
  EXPECT_EQ(passed(hasty.limiter, one, 500), 500);
  EXPECT_FALSE(hasty.limiter.is_shared());
  const auto text = hasty.metrics.to_text();
  EXPECT_NE(text.find("ipmit_milter_limiter_breaker_open 1"), std::string::npos);
  EXPECT_NE(text.find("ipmit_milter_limiter_failures_total"), std::string::npos);
  redis.resume();
  EXPECT_TRUE(wait_until([&] { return hasty.limiter.is_shared(); }));
}

TEST(RedisLimiter, AKilledMilterTakesNoBudgetWithIt) {
  const TempRedis redis;
  const std::vector<Charge> one = {charge("a", limit(50, seconds(1), 50))};
  Milter survivor(patient(redis));
  {
    Milter killed(patient(redis));
    EXPECT_EQ(passed(killed.limiter, one, 50), 50);
  }
  EXPECT_TRUE(wait_until([&] { return redis.cli({"KEYS", "ipmit:limit:*"}).empty(); }));
  EXPECT_GE(passed(survivor.limiter, one, 60), 50) << "full again after the refill time";
}

TEST(RedisLimiter, FollowsAFailover) {
  const TempRedis first;
  const TempRedis second({"--replicaof", "127.0.0.1", std::to_string(first.port()),
                          "--repl-diskless-sync-delay", "0"});
  const test::TempSentinel sentinel(first);
  ASSERT_TRUE(wait_until([&] { return sentinel.replicas() == 1; }));
  RedisLimiter::Options options = patient(first);
  options.redis.url = *schema::parse_redis_url(sentinel.url());
  options.check_every = Duration(50);
  Milter milter(options);
  const std::vector<Charge> one = {charge("a", limit(100, std::chrono::hours(1), 1'000))};
  EXPECT_EQ(passed(milter.limiter, one, 1), 1);
  EXPECT_EQ(first.cli({"EXISTS", "ipmit:limit:a:100/1h/1000/messages"}), "1");
  sentinel.cli({"SENTINEL", "FAILOVER", "ipmit"});
  EXPECT_TRUE(wait_until([&] {
    passed(milter.limiter, {charge("b", one[0].limit)}, 1);
    return second.cli({"EXISTS", "ipmit:limit:b:100/1h/1000/messages"}) == "1" &&
           milter.limiter.is_shared();
  }));
}

}  // namespace
}  // namespace ipmit::milter
