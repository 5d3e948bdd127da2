// SPDX-License-Identifier: Apache-2.0
#include "events/log_clock.h"

#include <string>

#include <gtest/gtest.h>

namespace ipmit::events {
namespace {

using std::chrono::minutes;

std::string read(LogClock& clock, const char* stamp) {
  const auto time = clock.read(stamp);
  return time ? common::to_rfc3339(*time) : "none";
}

common::TimePoint at(const char* text) {
  return *common::parse_rfc3339(text);
}

TEST(LogClock, ReadsBothForms) {
  LogClock clock(at("2026-11-25T12:00:00Z"), minutes(60));
  EXPECT_EQ(read(clock, "Nov 24 17:24:14"), "2026-11-24T16:24:14Z");
  EXPECT_EQ(read(clock, "Nov  4 17:24:14"), "2026-11-04T16:24:14Z");
  EXPECT_EQ(read(clock, "Nov 4 17:24:14.250"), "2026-11-04T16:24:14.250Z");
  EXPECT_EQ(read(clock, "2026-11-24T17:24:14.039595+01:00"), "2026-11-24T16:24:14.039Z");
  EXPECT_EQ(read(clock, "2026-11-24T17:24:14-0530"), "2026-11-24T22:54:14Z");
  EXPECT_EQ(read(clock, "2026-11-24T17:24:14Z"), "2026-11-24T17:24:14Z");
  EXPECT_EQ(read(clock, "2026-11-24T17:24:14"), "2026-11-24T16:24:14Z") << "zone of the log";
  EXPECT_EQ(read(clock, "2026-11-24T23:59:60Z"), "2026-11-25T00:00:00Z");
}

TEST(LogClock, TheFirstYearIsTheLatestNotAfterTheLog) {
  struct Row {
    const char* reference;
    const char* stamp;
    const char* want;
  };
  const Row rows[] = {
      {"2026-11-25T12:00:00Z", "Nov 25 12:00:00", "2026-11-25T12:00:00Z"},
      {"2026-11-25T12:00:00Z", "Nov 26 11:00:00", "2026-11-26T11:00:00Z"},  // a clock runs ahead
      {"2026-11-25T12:00:00Z", "Nov 28 12:00:00", "2025-11-28T12:00:00Z"},
      {"2027-01-01T00:10:00Z", "Dec 31 23:59:59", "2026-12-31T23:59:59Z"},
      {"2026-12-31T23:59:00Z", "Jan  1 00:00:01", "2027-01-01T00:00:01Z"},
      {"2026-11-25T12:00:00Z", "Feb 29 12:00:00", "2024-02-29T12:00:00Z"},
  };
  for (const Row& row : rows) {
    LogClock clock(at(row.reference), minutes(0));
    EXPECT_EQ(read(clock, row.stamp), row.want) << row.reference;
  }
}

TEST(LogClock, TheYearRollsOver) {
  LogClock clock(at("2026-06-01T00:00:00Z"), minutes(0));
  EXPECT_EQ(read(clock, "Dec 31 23:59:59"), "2025-12-31T23:59:59Z");
  EXPECT_EQ(read(clock, "Jan  1 00:00:00"), "2026-01-01T00:00:00Z");
  EXPECT_EQ(read(clock, "Dec 31 23:59:59"), "2025-12-31T23:59:59Z") << "a straggler";
  EXPECT_EQ(read(clock, "Jan  1 00:00:01"), "2026-01-01T00:00:01Z");
  EXPECT_EQ(read(clock, "May 31 10:00:00"), "2026-05-31T10:00:00Z");
}

TEST(LogClock, UsesTheZoneOfTheSystem) {
  const char* before = std::getenv("TZ");
  const std::string kept = before == nullptr ? "" : before;
  ::setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3", 1);
  ::tzset();
  LogClock clock(at("2026-11-25T12:00:00Z"));
  EXPECT_EQ(read(clock, "Jul 24 17:24:14"), "2026-07-24T15:24:14Z");
  EXPECT_EQ(read(clock, "Nov 24 17:24:14"), "2026-11-24T16:24:14Z");
  before == nullptr ? ::unsetenv("TZ") : ::setenv("TZ", kept.c_str(), 1);
  ::tzset();
}

TEST(LogClock, RefusesWhatIsNoTime) {
  LogClock clock(at("2026-11-25T12:00:00Z"), minutes(0));
  for (const char* stamp :
       {"", "Nov", "Nov 24", "Nov 24 25:00:00", "Nov 24 17:60:14", "Nov 00 17:24:14",
        "Nov 32 17:24:14", "Feb 30 17:24:14", "Now 24 17:24:14", "Nov 24 17:24:14 x",
        "2026-13-24T17:24:14Z", "2026-02-30T17:24:14Z", "2026-11-24T17:24:14+1", "2026-11-24T17:24",
        "2026-11-24T17:24:14.Zx"}) {
    EXPECT_EQ(read(clock, stamp), "none") << stamp;
  }
}

}  // namespace
}  // namespace ipmit::events
