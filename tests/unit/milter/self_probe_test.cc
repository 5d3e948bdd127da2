// SPDX-License-Identifier: Apache-2.0
#include "milter/self_probe.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/milter_wire.h"
#include "milter/listener.h"
#include "tests/support/process.h"

namespace ipmit::milter {
namespace {

constexpr common::Duration kShort{50};

TEST(SelfProbe, ASocketThatTakesConnectionsAndNeverAnswersIsNotAlive) {
  Listener listener(
      {.address = common::parse_listen_address("inet:127.0.0.1:0").value(), .group = {}});
  listener.open();
  EXPECT_FALSE(probe_once(listener.reachable_at(), "probe", kShort));
  common::Metrics metrics;
  std::atomic<bool> paused{true};
  SelfProbe probe(
      {.every = kShort, .deadline = kShort, .probe_host = "probe"},
      [&]() -> std::optional<common::ListenAddress> {
        if (paused) return std::nullopt;
        return listener.reachable_at();
      },
      metrics);
  const auto failures = metrics.counter("ipmit_milter_probe_failures_total", "");
  EXPECT_TRUE(probe.is_alive());
  EXPECT_EQ(failures.value(), 0) << "nothing to probe is alive";
  paused = false;
  EXPECT_TRUE(test::wait_until([&] { return failures.value() > 0; }));
  EXPECT_TRUE(test::wait_until([&] { return !probe.is_alive(); }));
  paused = true;
  EXPECT_TRUE(test::wait_until([&] { return probe.is_alive(); }));
}

TEST(SelfProbe, HostsAreNotGuessed) {
  EXPECT_NE(make_probe_host(), make_probe_host());
}

}  // namespace
}  // namespace ipmit::milter
