// SPDX-License-Identifier: Apache-2.0
#include "schema/upkeep.h"

#include <gtest/gtest.h>

#include "common/error.h"

namespace ipmit::schema {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;

const common::TimePoint kNoon = *common::parse_rfc3339("2026-11-25T12:00:00Z");

struct Calls {
  int opened = 0, applied = 0;
  std::uint64_t rows = 0;  // the next answer
  bool fails = false;
};

class FakeRecord : public Retention {
 public:
  explicit FakeRecord(Calls& calls) : calls_(calls) { ++calls_.opened; }
  std::vector<Removed> apply_retention(const RetentionSpans& spans, common::TimePoint,
                                       std::size_t) override {
    ++calls_.applied;
    EXPECT_EQ(spans.audit, hours(7));
    if (calls_.fails) throw common::TransientError("server away");
    return {{"findings", 0}, {"audit", calls_.rows}};
  }

 private:
  Calls& calls_;
};

class UpkeepTest : public testing::Test {
 protected:
  // How often the record was worked on at `now`.
  int run(common::TimePoint now) {
    const int before = calls_.applied;
    upkeep_.run_if_due(now);
    return calls_.applied - before;
  }

  Calls calls_;
  Upkeep upkeep_{[this] { return std::make_unique<FakeRecord>(calls_); },
                 RetentionSpans{.audit = hours(7)}};
};

TEST_F(UpkeepTest, RunsAtOnceThenEveryHour) {
  EXPECT_EQ(run(kNoon), 1);
  EXPECT_EQ(run(kNoon + hours(1) - milliseconds(1)), 0);
  EXPECT_EQ(run(kNoon + hours(1)), 1);
  EXPECT_EQ(calls_.opened, 1);
}

TEST_F(UpkeepTest, GoesOnWhileThereIsMore) {
  calls_.rows = Upkeep::kMostAtOnce;
  EXPECT_EQ(run(kNoon), 1);
  calls_.rows = Upkeep::kMostAtOnce - 1;
  EXPECT_EQ(run(kNoon), 1);
  EXPECT_EQ(run(kNoon), 0);
}

TEST_F(UpkeepTest, TriesAgainOnANewSessionAfterAFailure) {
  calls_.fails = true;
  EXPECT_EQ(run(kNoon), 1);
  EXPECT_EQ(run(kNoon + minutes(1) - milliseconds(1)), 0);
  calls_.fails = false;
  EXPECT_EQ(run(kNoon + minutes(1)), 1);
  EXPECT_EQ(calls_.opened, 2);
}

TEST_F(UpkeepTest, AClockSetBackDoesNotStopIt) {
  EXPECT_EQ(run(kNoon), 1);
  EXPECT_EQ(run(kNoon - hours(24)), 1);
}

}  // namespace
}  // namespace ipmit::schema
