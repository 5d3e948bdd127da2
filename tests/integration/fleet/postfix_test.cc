// SPDX-License-Identifier: Apache-2.0
// A fleet whose milter stands beside a real Postfix: no fault behind the milter may be seen by a
// client. Postfix would answer 451 for a filter that fails.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/fleet_faults.h"
#include "tests/support/mail_loop.h"
#include "tests/support/temp_postfix.h"

namespace ipmit::test {
namespace {

TEST(FleetWithPostfix, NoClientSeesWhatFailsBehindTheMilter) {
  if (const auto reason = TempPostfix::missing()) GTEST_SKIP() << *reason;
  if (const auto reason = TempPostgres::missing(); !reason.empty()) GTEST_SKIP() << reason;
  TempRedis redis;
  TestFleet fleet(redis.url(), {.milters = 1, .controllers = 2});
  TempPostfix::Options options;
  options.default_action = "tempfail";
  const TempPostfix postfix(options);
  const auto milter =
      fleet.start_milter("postfix", postfix.milter_socket().string(), "  socket_group: postfix\n");
  ASSERT_EQ(redis.cli({"ZCARD", "ipmit:milters"}), "2");

  for (const FleetFault& fault : fleet_faults()) {
    if (fault.name.find("killed and started") == std::string::npos &&
        !fault.name.starts_with("Redis "))
      continue;
    SCOPED_TRACE(fault.name);
    MailLoop mail(postfix.port());
    fault.happen(fleet, redis, Outage::kShort);
    EXPECT_TRUE(mail.wait_for(4));
    EXPECT_THAT(mail.stop(), testing::IsEmpty());
    fleet.change();
    EXPECT_TRUE(fleet.wait_enforced()) << fleet.logs();
  }
  EXPECT_FALSE(postfix.log_line({"warning: milter"})) << postfix.log();
}

}  // namespace
}  // namespace ipmit::test
