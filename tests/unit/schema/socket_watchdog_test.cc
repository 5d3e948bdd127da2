// SPDX-License-Identifier: Apache-2.0
#include "schema/socket_watchdog.h"

#include <array>

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

namespace ipmit::schema {
namespace {

using common::Duration;

class SocketWatchdogTest : public testing::Test {
 protected:
  void SetUp() override { ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM, 0, ends_.data()), 0); }
  void TearDown() override {
    for (const int end : ends_) ::close(end);
  }
  // Blocks until the peer says something (1) or the socket is shut down (0).
  ssize_t read() const {
    char byte = 0;
    return ::read(ends_[0], &byte, 1);
  }
  void say() const { ASSERT_EQ(::write(ends_[1], "x", 1), 1); }

  std::array<int, 2> ends_{};
};

TEST_F(SocketWatchdogTest, EndsTheWaitForASilentPeer) {
  SocketWatchdog watchdog(ends_[0]);
  watchdog.arm(Duration(1));
  EXPECT_EQ(read(), 0);
  EXPECT_TRUE(watchdog.has_fired());
}

TEST_F(SocketWatchdogTest, LeavesAPeerThatAnswersAlone) {
  SocketWatchdog watchdog(ends_[0]);
  for (int i = 0; i < 100; ++i) {
    watchdog.arm(Duration(60'000));
    say();
    EXPECT_EQ(read(), 1);
    watchdog.disarm();
  }
  EXPECT_FALSE(watchdog.has_fired());
}

TEST_F(SocketWatchdogTest, TheLastLimitCounts) {
  SocketWatchdog watchdog(ends_[0]);
  watchdog.arm(Duration(60'000));
  watchdog.disarm();
  watchdog.arm(Duration(1));  // sooner than what it sleeps for
  EXPECT_EQ(read(), 0);
  EXPECT_TRUE(watchdog.has_fired());
}

TEST_F(SocketWatchdogTest, NoLimitIsNoLimit) {
  SocketWatchdog watchdog(ends_[0]);
  watchdog.arm(Duration(60'000));
  watchdog.arm({});
  say();
  EXPECT_EQ(read(), 1);
  EXPECT_FALSE(watchdog.has_fired());
}

}  // namespace
}  // namespace ipmit::schema
