// SPDX-License-Identifier: Apache-2.0
#include "policy/rate_limit.h"

#include <limits>
#include <random>

#include <gtest/gtest.h>

namespace ipmit::policy {
namespace {

constexpr std::int64_t kSecond = 1'000'000;

RateLimit rate(std::uint32_t limit, Duration period, std::uint32_t burst) {
  return {.limit = limit, .period = period, .burst = burst};
}

TEST(RateLimit, IntervalIsRoundedAndNeverZero) {
  using std::chrono::hours;
  using std::chrono::seconds;
  const struct {
    const char* name;
    RateLimit limit;
    std::int64_t want;
  } kRows[] = {
      {"100 an hour", rate(100, hours(1), 1), 36 * kSecond},
      {"3 a second, rounded down", rate(3, seconds(1), 1), 333'333},
      {"6 a second, rounded up", rate(6, seconds(1), 1), 166'667},
      {"a million a second", rate(1'000'000, seconds(1), 1), 1},
      {"faster than the clock", rate(1'000'000'000, seconds(1), 1), 1},
      {"slowest", rate(1, hours(24 * 31), 1), 31 * 86400 * kSecond},
      {"a limit of zero does not divide", rate(0, seconds(1), 1), kSecond},
  };
  for (const auto& row : kRows) EXPECT_EQ(gcra_interval_us(row.limit), row.want) << row.name;
}

TEST(RateLimit, BoundariesOfOneCharge) {
  const RateLimit three = rate(60, std::chrono::minutes(1), 3);  // one a second
  const struct {
    const char* name;
    std::int64_t tat, now;
    std::uint32_t units;
    bool conforms;
    std::int64_t new_tat, retry_after;
  } kRows[] = {
      {"full budget, unknown key", 0, 100 * kSecond, 1, true, 101 * kSecond, 0},
      {"whole burst at once", 0, 100 * kSecond, 3, true, 103 * kSecond, 0},
      {"more than the burst never", 0, 100 * kSecond, 4, false, 0, kNever},
      {"burst used up", 103 * kSecond, 100 * kSecond, 1, false, 103 * kSecond, kSecond},
      {"a microsecond early", 103 * kSecond, 101 * kSecond - 1, 1, false, 103 * kSecond, 1},
      {"just in time", 103 * kSecond, 101 * kSecond, 1, true, 104 * kSecond, 0},
      {"nothing is free", 103 * kSecond, 100 * kSecond, 0, true, 103 * kSecond, 0},
      {"two wait longer", 103 * kSecond, 100 * kSecond, 2, false, 103 * kSecond, 2 * kSecond},
  };
  for (const auto& row : kRows) {
    SCOPED_TRACE(row.name);
    const GcraOutcome got = gcra(three, row.tat, row.now, row.units);
    EXPECT_EQ(got.conforms, row.conforms);
    EXPECT_EQ(got.new_tat_us, row.new_tat);
    EXPECT_EQ(got.retry_after_us, row.retry_after);
  }
}

TEST(RateLimit, ExtremesDoNotOverflow) {
  const RateLimit huge = rate(1, std::chrono::hours(24 * 31), 1'000'000'000);
  const std::int64_t now = 1'800'000'000 * kSecond;
  const GcraOutcome first = gcra(huge, 0, now, 1'000'000'000);
  EXPECT_TRUE(first.conforms);
  EXPECT_FALSE(gcra(huge, first.new_tat_us, now, 1'000'000'000).conforms);
  EXPECT_FALSE(
      gcra(rate(1, std::chrono::seconds(1), 1), std::numeric_limits<std::int64_t>::max(), now, 1)
          .conforms);
  EXPECT_EQ(gcra_refund(huge, first.new_tat_us, now, 1'000'000'000), now);
}

TEST(RateLimit, RefundGivesBackAtMostAFullBudget) {
  const RateLimit three = rate(60, std::chrono::minutes(1), 3);
  const std::int64_t now = 100 * kSecond;
  EXPECT_EQ(gcra_refund(three, 103 * kSecond, now, 1), 102 * kSecond);
  EXPECT_EQ(gcra_refund(three, 103 * kSecond, now, 3), now);
  EXPECT_EQ(gcra_refund(three, 103 * kSecond, now, 99), now);
  EXPECT_EQ(gcra_refund(three, 50 * kSecond, now, 1), 50 * kSecond);
}

// The promise of the header: over any window W at most burst + W/interval.
TEST(RateLimit, NeverMoreThanBurstAndRateInAnyWindow) {
  std::mt19937 engine(20260102);
  const auto random = [&] { return static_cast<std::uint32_t>(engine()); };
  for (int round = 0; round < 50; ++round) {
    const auto limit =
        rate(1 + random() % 50, std::chrono::seconds(1 + random() % 20), 1 + random() % 9);
    const std::int64_t interval = gcra_interval_us(limit);
    std::vector<std::int64_t> passed;
    std::int64_t tat = 0, now = 1'000 * kSecond;
    for (int i = 0; i < 400; ++i) {
      now += static_cast<std::int64_t>(random() % static_cast<unsigned>(interval));
      const GcraOutcome got = gcra(limit, tat, now, 1);
      tat = got.new_tat_us;
      if (got.conforms) {
        passed.push_back(now);
      } else {
        ASSERT_TRUE(gcra(limit, tat, now + got.retry_after_us, 1).conforms);
        ASSERT_FALSE(gcra(limit, tat, now + got.retry_after_us - 1, 1).conforms);
      }
    }
    for (std::size_t from = 0; from < passed.size(); ++from)
      for (std::size_t to = from; to < passed.size(); ++to)
        ASSERT_LE(static_cast<std::int64_t>(to - from + 1),
                  limit.burst + (passed[to] - passed[from]) / interval);
  }
}

}  // namespace
}  // namespace ipmit::policy
