// SPDX-License-Identifier: Apache-2.0
#include "common/stoppable_wait.h"

#include <thread>

#include <gtest/gtest.h>

namespace ipmit::common {
namespace {

using SteadyClock = std::chrono::steady_clock;

TEST(StoppableWait, LastsAsLongAsItShould) {
  const auto start = SteadyClock::now();
  EXPECT_TRUE(wait_unless_stopped(std::chrono::milliseconds(20), {}));
  EXPECT_GE(SteadyClock::now() - start, std::chrono::milliseconds(20));
}

TEST(StoppableWait, EndsWithTheStop) {
  std::stop_source source;
  std::jthread stopper([&] { source.request_stop(); });
  EXPECT_FALSE(wait_unless_stopped(std::chrono::hours(1), source.get_token()));
}

TEST(StoppableWait, AStopThatCameBeforeCounts) {
  std::stop_source source;
  source.request_stop();
  EXPECT_FALSE(wait_unless_stopped(std::chrono::hours(1), source.get_token()));
}

}  // namespace
}  // namespace ipmit::common
