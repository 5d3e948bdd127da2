// SPDX-License-Identifier: Apache-2.0
#include "common/metrics.h"

#include <latch>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/thread_slot.h"

namespace ipmit::common {
namespace {

using testing::HasSubstr;
using testing::Not;

TEST(Metrics, CountsOfAllThreadsAreOneNumber) {
  constexpr std::size_t kThreads = kThreadSlots + 8;  // some share a place
  constexpr int kRounds = 400'000;
  Metrics metrics;
  const auto counter = metrics.counter("ipmit_test_things_total", "Things.");
  const auto level = metrics.level("ipmit_test_open", "Open.");
  const auto seconds = metrics.histogram("ipmit_test_seconds", "Time.", {1, 2});
  std::latch begin(kThreads);
  std::vector<std::jthread> threads;
  for (std::size_t i = 0; i < kThreads; ++i) {
    threads.emplace_back([&] {
      begin.arrive_and_wait();
      for (int round = 0; round < kRounds; ++round) {
        counter.add();
        level.add(2);
        level.add(-1);
        seconds.observe(1.5);
        if (round % 100'000 == 0) metrics.to_text();  // reading in between takes nothing away
      }
    });
  }
  threads.clear();
  constexpr double kAll = kThreads * kRounds;
  EXPECT_EQ(counter.value(), kAll);
  EXPECT_EQ(level.value(), kAll);
  const std::string number = std::to_string(kThreads * kRounds);
  const std::string text = metrics.to_text();
  EXPECT_THAT(text, HasSubstr("ipmit_test_things_total " + number + "\n"));
  EXPECT_THAT(text, HasSubstr("ipmit_test_open " + number + "\n"));
  EXPECT_THAT(text, HasSubstr("ipmit_test_seconds_bucket{le=\"2\"} " + number + "\n"));
  EXPECT_THAT(text, HasSubstr("ipmit_test_seconds_count " + number + "\n"));
  EXPECT_THAT(text, HasSubstr("ipmit_test_seconds_sum " +
                              std::to_string(kThreads * kRounds * 3 / 2) + "\n"));
}

TEST(Metrics, AThreadThatEndedStillCounts) {
  Metrics metrics;
  const auto counter = metrics.counter("ipmit_test_things_total", "Things.");
  for (int i = 0; i < 100; ++i) std::jthread([&] { counter.add(); });
  EXPECT_EQ(counter.value(), 100);
}

TEST(Metrics, ABucketHoldsItsUpperBound) {
  Metrics metrics;
  const auto seconds = metrics.histogram("ipmit_test_seconds", "Time.", {0.5, 1});
  for (const double value : {0.25, 0.5, 0.75, 1.0, 4.0}) seconds.observe(value);
  const std::string text = metrics.to_text();
  EXPECT_THAT(text, HasSubstr("ipmit_test_seconds_bucket{le=\"0.5\"} 2\n"));
  EXPECT_THAT(text, HasSubstr("ipmit_test_seconds_bucket{le=\"1\"} 4\n"));
  EXPECT_THAT(text, HasSubstr("ipmit_test_seconds_bucket{le=\"+Inf\"} 5\n"));
  EXPECT_THAT(text, HasSubstr("ipmit_test_seconds_sum 6.5\n"));
  EXPECT_EQ(metrics.to_text(), text);
}

TEST(Metrics, TheSameNameAndLabelsAreTheSameMetric) {
  Metrics metrics;
  const auto add_one = [&](std::string_view kind) {
    const auto counter = metrics.counter("ipmit_test_things_total", "Things.", {{"kind", kind}});
    counter.add();
    metrics.histogram("ipmit_test_seconds", "Time.", {1}, {{"kind", kind}}).observe(3);
    metrics.level("ipmit_test_open", "Open.", {{"kind", kind}}).add(1);
  };
  add_one("a");
  add_one("a");
  add_one("b");
  const std::string text = metrics.to_text();
  EXPECT_THAT(text, HasSubstr("ipmit_test_things_total{kind=\"a\"} 2\n"));
  EXPECT_THAT(text, HasSubstr("ipmit_test_things_total{kind=\"b\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("ipmit_test_seconds_count{kind=\"a\"} 2\n"));
  EXPECT_THAT(text, HasSubstr("ipmit_test_open{kind=\"a\"} 2\n"));
}

// More than fit into one block of cells.
TEST(Metrics, ManyMetricsKeepApart) {
  Metrics metrics;
  std::vector<Metrics::Counter> counters;
  for (int i = 0; i < 200; ++i) {
    const std::string label = std::to_string(i);
    counters.push_back(metrics.counter("ipmit_test_things_total", "Things.", {{"kind", label}}));
  }
  for (std::size_t i = 0; i < counters.size(); ++i) counters[i].add(static_cast<double>(i));
  for (std::size_t i = 0; i < counters.size(); ++i)
    EXPECT_EQ(counters[i].value(), static_cast<double>(i));
}

TEST(Metrics, AHistogramThatHasNoRoomIsRefused) {
  Metrics metrics;
  EXPECT_THROW(metrics.histogram("ipmit_test_seconds", "Time.",
                                 {1,  2,  3,  4,  5,  6,  7,  8,  9,  10, 11, 12, 13, 14, 15, 16,
                                  17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31, 32,
                                  33, 34, 35, 36, 37, 38, 39, 40, 41, 42, 43, 44, 45, 46, 47, 48,
                                  49, 50, 51, 52, 53, 54, 55, 56, 57, 58, 59, 60, 61, 62, 63}),
               std::length_error);
  metrics.to_text();  // goes on
}

TEST(Metrics, AGaugeIsSet) {
  Metrics metrics;
  const auto gauge = metrics.gauge("ipmit_test_good", "Good.");
  gauge.set(1);
  gauge.set(0.5);
  EXPECT_EQ(gauge.value(), 0.5);
  EXPECT_THAT(metrics.to_text(), HasSubstr("ipmit_test_good 0.5\n"));
  EXPECT_THAT(metrics.to_text(), Not(HasSubstr("ipmit_test_good 1\n")));
}

}  // namespace
}  // namespace ipmit::common
