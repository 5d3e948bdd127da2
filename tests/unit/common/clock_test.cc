// SPDX-License-Identifier: Apache-2.0
#include "common/clock.h"

#include <gtest/gtest.h>

namespace ipmit::common {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

TimePoint at(const char* text) {
  const auto time = parse_rfc3339(text);
  EXPECT_TRUE(time.has_value()) << text;
  return time.value_or(TimePoint{});
}

TEST(Clock, ReadsEveryRfc3339Form) {
  const TimePoint want = std::chrono::sys_days(std::chrono::year(2026) / 11 / 25) + hours(18);
  for (const char* text :
       {"2026-11-25T18:00:00Z", "2026-11-25t18:00:00z", "2026-11-25T18:00Z",
        "2026-11-25T19:00:00+01:00", "2026-11-25T12:30:00-05:30", "2026-11-25 18:00:00.000Z"}) {
    EXPECT_EQ(at(text), want) << text;
  }
  EXPECT_EQ(at("2026-11-25T18:00:00.0426Z"), want + milliseconds(42));
  EXPECT_EQ(at("2026-11-25T17:59:60Z"), want);
}

TEST(Clock, RefusesWhatIsNotATime) {
  for (const char* text :
       {"", "2026", "2026-11-25", "2026-02-30T00:00:00Z", "2026-11-25T24:00:00Z",
        "2026-11-25T18:00:00", "2026-11-25T18:00:00Zx", "2026-11-25T18:00:00+1"}) {
    EXPECT_FALSE(parse_rfc3339(text)) << text;
  }
}

TEST(Clock, PrintsWhatItReads) {
  EXPECT_EQ(to_rfc3339(at("2026-11-25T18:00:00Z")), "2026-11-25T18:00:00Z");
  EXPECT_EQ(to_rfc3339(at("2026-11-25T18:00:00.007Z")), "2026-11-25T18:00:00.007Z");
  EXPECT_EQ(to_short_utc(at("2026-11-25T18:00:59Z")), "2026-11-25T18:00Z");
  EXPECT_EQ(to_rfc3339(TimePoint{}), "1970-01-01T00:00:00Z");
}

TEST(Clock, DurationsNameTheirUnit) {
  EXPECT_EQ(parse_duration("90s"), seconds(90));
  EXPECT_EQ(parse_duration("1h30m"), minutes(90));
  EXPECT_EQ(parse_duration("2d"), hours(48));
  EXPECT_EQ(parse_duration("1w"), hours(168));
  EXPECT_EQ(parse_duration("500ms"), milliseconds(500));
  for (const char* text : {"", "90", "s", "-1s", "1 h", "1y", "99999999999d", "4294967295w"}) {
    EXPECT_FALSE(parse_duration(text)) << text;
  }
}

TEST(Clock, DurationTextIsTheInverse) {
  for (const char* text : {"1h30m", "2d", "500ms", "1d1h1m1s1ms", "7d"}) {
    EXPECT_EQ(to_duration_text(*parse_duration(text)), text);
  }
  EXPECT_EQ(to_duration_text(Duration{0}), "0s");
}

}  // namespace
}  // namespace ipmit::common
