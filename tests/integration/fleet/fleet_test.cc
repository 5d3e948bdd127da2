// SPDX-License-Identifier: Apache-2.0
// Five real milters, two real controllers, 10 000 mitigations, and everything that can fail. The
// times that bench_cluster measures are not asserted here, only that all agree again.
#include <memory>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/fleet_faults.h"

namespace ipmit::test {
namespace {

constexpr std::size_t kRules = 10'000;

void expect_recovery(TestFleet& fleet, const std::function<void()>& fault) {
  const Recovery recovery = recover(fleet, fault);
  EXPECT_TRUE(recovery.in_step);
  EXPECT_EQ(recovery.differences, 0U) << "the controller leaves nothing to repair";
  EXPECT_GT(recovery.sessions, 0);
  EXPECT_THAT(recovery.failures, testing::IsEmpty());
  if (testing::Test::HasFailure()) std::cerr << fleet.logs();
}

// All rows share one fleet, as a fleet meets one fault after the other.
class FleetFaults : public testing::TestWithParam<std::size_t> {
 protected:
  static void SetUpTestSuite() {
    if (!TempPostgres::missing().empty()) return;
    redis_ = std::make_unique<TempRedis>();
    fleet_ = std::make_unique<TestFleet>(redis_->url(),
                                         TestFleet::Options{.controllers = 2, .rules = kRules});
  }
  static void TearDownTestSuite() {
    fleet_.reset();
    redis_.reset();
  }
  void SetUp() override {
    if (!fleet_) GTEST_SKIP() << TempPostgres::missing();
  }

  static inline std::unique_ptr<TempRedis> redis_;
  static inline std::unique_ptr<TestFleet> fleet_;
};

TEST_P(FleetFaults, AllAgreeAgainAndNoSessionSeesAnError) {
  const FleetFault& fault = fleet_faults()[GetParam()];
  SCOPED_TRACE(fault.name);
  expect_recovery(*fleet_, [&] { fault.happen(*fleet_, *redis_, Outage::kShort); });
}

std::string row_name(const testing::TestParamInfo<std::size_t>& row) {
  std::string name;
  for (const char c : fleet_faults()[row.param].name)
    if (std::isalnum(static_cast<unsigned char>(c)) != 0) name += c;
  return name;
}
INSTANTIATE_TEST_SUITE_P(Each, FleetFaults, testing::Range<std::size_t>(0, fleet_faults().size()),
                         row_name);

TEST(Fleet, FollowsASentinelFailover) {
  if (const auto reason = TempPostgres::missing(); !reason.empty()) GTEST_SKIP() << reason;
  SentinelPair redis;
  TestFleet fleet(redis.sentinel.url(), {.rules = kRules});
  expect_recovery(fleet, [&] { redis.fail_over(fleet); });
}

TEST(Fleet, FollowsAPostgresFailover) {
  if (const auto reason = TempPostgres::missing(); !reason.empty()) GTEST_SKIP() << reason;
  const TempRedis redis;
  TestFleet fleet(redis.url(), {.controllers = 2, .rules = kRules, .standby = true});
  expect_recovery(fleet, [&] {
    fleet.fail_over_postgres(TestFleet::Failover::kClean, [&] { fleet.change(); });
  });
  const CommandResult added = fleet.ctl({"add", "-n", "after", "-t", "192.0.2.77", "-a", "reject",
                                         "-r", "after the failover", "--for", "1h", "--wait"});
  EXPECT_EQ(added.status, 0) << added.output;
}

TEST(Fleet, LeavesAPostgresThatHangsForThePromotedOne) {
  if (const auto reason = TempPostgres::missing(); !reason.empty()) GTEST_SKIP() << reason;
  const TempRedis redis;
  TestFleet fleet(redis.url(), {.controllers = 2, .rules = kRules, .standby = true});
  expect_recovery(fleet, [&] {
    fleet.fail_over_postgres(TestFleet::Failover::kOldOneHangs, [&] { fleet.change(); });
  });
}

// The standby lacks what was committed last, and its first changes get the revisions of what was
// lost: other rules by the same numbers, which nobody may take for the same.
TEST(Fleet, ForgetsWhatAPostgresFailoverLost) {
  if (const auto reason = TempPostgres::missing(); !reason.empty()) GTEST_SKIP() << reason;
  const TempRedis redis;
  TestFleet fleet(redis.url(), {.controllers = 2, .rules = kRules, .standby = true});
  int lost = 0;
  expect_recovery(fleet, [&] {
    fleet.fail_over_postgres(TestFleet::Failover::kLosesChanges, [&] {
      lost = fleet.change();
      ASSERT_TRUE(fleet.wait_enforced());
      EXPECT_TRUE(fleet.any_enforces(lost));
    });
  });
  EXPECT_FALSE(fleet.any_enforces(lost));
}

}  // namespace
}  // namespace ipmit::test
