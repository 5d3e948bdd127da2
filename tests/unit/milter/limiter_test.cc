// SPDX-License-Identifier: Apache-2.0
#include "milter/limiter.h"

#include <atomic>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

namespace ipmit::milter {
namespace {

using policy::Charge;
using policy::RateLimit;
using std::chrono::milliseconds;
using std::chrono::seconds;

const TimePoint kStart = TimePoint(std::chrono::hours(500'000));

RateLimit per_10s(std::uint32_t limit, std::uint32_t burst) {
  return {limit, seconds(10), burst, policy::RateUnit::kMessages, policy::RateKey::kTarget};
}
Charge charge(std::string key, const RateLimit& limit, std::uint32_t units = 1) {
  return {0, std::move(key), limit, units};
}

int passed(Limiter& limiter, const std::vector<Charge>& charges, int tries, TimePoint now) {
  int count = 0;
  for (int i = 0; i < tries; ++i) count += limiter.charge(charges, now).ok() ? 1 : 0;
  return count;
}

TEST(LocalLimiter, GivesTheBurstThenTheRate) {
  LocalLimiter limiter;
  const std::vector<Charge> one = {charge("a", per_10s(100, 20))};
  EXPECT_EQ(passed(limiter, one, 50, kStart), 20);
  const auto refused = limiter.charge(one, kStart);
  EXPECT_EQ(refused.refused, 0U);
  EXPECT_EQ(refused.retry_after, milliseconds(100));
  EXPECT_FALSE(limiter.charge(one, kStart + milliseconds(99)).ok());
  EXPECT_TRUE(limiter.charge(one, kStart + milliseconds(100)).ok());
  EXPECT_FALSE(limiter.charge(one, kStart + milliseconds(100)).ok());
  EXPECT_EQ(passed(limiter, one, 200, kStart + seconds(60)), 20) << "no more than the burst";
}

TEST(LocalLimiter, NeverPassesMoreThanTheBurst) {
  LocalLimiter limiter;
  const auto result = limiter.charge(std::vector{charge("a", per_10s(100, 20), 21)}, kStart);
  EXPECT_EQ(result.refused, 0U);
  EXPECT_FALSE(result.retry_after);
  EXPECT_TRUE(limiter.charge(std::vector{charge("a", per_10s(100, 20), 20)}, kStart).ok());
}

TEST(LocalLimiter, TwoLimitsOnOneKeyAreTwoBudgets) {
  LocalLimiter limiter;
  const std::vector<Charge> both = {charge("a", per_10s(100, 10)), charge("a", per_10s(100, 4))};
  EXPECT_EQ(passed(limiter, both, 20, kStart), 4);
  EXPECT_EQ(limiter.charge(both, kStart).refused, 1U);
  EXPECT_EQ(passed(limiter, {both[0]}, 20, kStart), 6) << "refused messages charged nothing";
  EXPECT_EQ(limiter.charge(both, kStart).refused, 0U);
}

TEST(LocalLimiter, TheSameBudgetTwiceIsChargedTwice) {
  LocalLimiter limiter;
  const std::vector<Charge> twice = {charge("a", per_10s(100, 5)), charge("a", per_10s(100, 5))};
  EXPECT_EQ(passed(limiter, twice, 10, kStart), 2);
  EXPECT_EQ(limiter.charge(twice, kStart).refused, 1U);
  EXPECT_EQ(passed(limiter, {twice[0]}, 10, kStart), 1) << "the refused pair took nothing";
}

TEST(LocalLimiter, ARefusedMessageChargesNothing) {
  LocalLimiter limiter;
  const Charge narrow = charge("narrow", per_10s(100, 1));
  const Charge wide = charge("wide", per_10s(100, 30));
  for (int i = 0; i < 10; ++i) limiter.charge(std::vector{wide, narrow}, kStart);
  EXPECT_EQ(passed(limiter, {wide}, 100, kStart), 29);
}

TEST(LocalLimiter, RefundsWhatWasNotUsed) {
  LocalLimiter limiter;
  const std::vector<Charge> three = {charge("a", per_10s(100, 10), 3),
                                     charge("b", per_10s(100, 9))};
  EXPECT_EQ(passed(limiter, three, 10, kStart), 3);
  limiter.refund(three, kStart);
  EXPECT_EQ(passed(limiter, three, 10, kStart), 1);
  for (int i = 0; i < 100; ++i) limiter.refund(three, kStart);
  EXPECT_EQ(passed(limiter, three, 10, kStart), 3) << "never more than a full budget";
  limiter.refund(std::vector{charge("unknown", per_10s(1, 1))}, kStart);
  EXPECT_TRUE(limiter.charge(std::vector<Charge>{}, kStart).ok());
}

TEST(LocalLimiter, KeepsItsPartOfASharedLimit) {
  LocalLimiter limiter;
  limiter.set_share(5);
  const std::vector<Charge> one = {charge("a", per_10s(100, 20))};
  EXPECT_EQ(passed(limiter, one, 50, kStart), 4);
  EXPECT_EQ(limiter.charge(one, kStart).retry_after, milliseconds(500));
  const std::vector<Charge> big = {charge("b", per_10s(100, 20), 15)};
  EXPECT_TRUE(limiter.charge(big, kStart).ok()) << "a message within the whole burst can pass";
  EXPECT_FALSE(limiter.charge(big, kStart).ok());
  limiter.set_share(0);
  EXPECT_EQ(passed(limiter, {charge("c", per_10s(100, 20))}, 50, kStart), 20);
}

TEST(LocalLimiter, ForgetsFullBudgetsFirst) {
  LocalLimiter limiter(64 * 100);
  for (int i = 0; i < 4'500; ++i)
    limiter.charge(std::vector{charge("old" + std::to_string(i), per_10s(100, 20))}, kStart);
  const TimePoint later = kStart + seconds(1);
  for (int i = 0; i < 3'000; ++i)
    limiter.charge(std::vector{charge("new" + std::to_string(i), per_10s(100, 20), 20)}, later);
  EXPECT_EQ(limiter.evicted(), 0U);
  EXPECT_LE(limiter.size(), 64U * 100U);
  for (int i = 0; i < 3'000; ++i) {
    const std::vector<Charge> again = {charge("new" + std::to_string(i), per_10s(100, 20))};
    EXPECT_FALSE(limiter.charge(again, later).ok()) << i;
  }
}

TEST(LocalLimiter, StaysWithinItsSizeUnderAttack) {
  LocalLimiter limiter(64 * 16);
  for (int i = 0; i < 20'000; ++i)
    limiter.charge(std::vector{charge(std::to_string(i), per_10s(100, 20), 20)}, kStart);
  EXPECT_LE(limiter.size(), 64U * 16U);
  EXPECT_GT(limiter.evicted(), 10'000U);
}

TEST(LocalLimiter, CountsExactlyInParallel) {
  LocalLimiter limiter;
  const std::vector<Charge> forward = {charge("x", per_10s(100, 500)),
                                       charge("y", per_10s(100, 800))};
  const std::vector<Charge> backward = {forward[1], forward[0]};
  std::atomic<int> count{0};
  {
    std::vector<std::jthread> threads;
    for (int t = 0; t < 8; ++t)
      threads.emplace_back(
          [&, t] { count += passed(limiter, t % 2 == 0 ? forward : backward, 400, kStart); });
  }
  EXPECT_EQ(count, 500);
  EXPECT_EQ(passed(limiter, {forward[1]}, 1'000, kStart), 300);
}

}  // namespace
}  // namespace ipmit::milter
