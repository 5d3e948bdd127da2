// SPDX-License-Identifier: Apache-2.0
// A fleet whose milter stands beside a real Postfix: no fault behind the milter may be seen by a
// client. Postfix would answer 451 for a filter that fails.
#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/fleet_faults.h"
#include "tests/support/smtp_client.h"
#include "tests/support/temp_postfix.h"

namespace ipmit::test {
namespace {

// Mail of a clean and of a rejected client, one session after the other, while it lives.
class MailLoop {
 public:
  explicit MailLoop(std::uint16_t port)
      : thread_([this, port](const std::stop_token& stop) {
          while (!stop.stop_requested()) {
            send(port, "192.0.2.10", 250);
            send(port, "203.0.113.66", 550);
          }
        }) {}

  int sent() const { return sent_; }
  // Waits until `count` more were answered, then ends; what went wrong.
  std::vector<std::string> stop_after(int count) {
    const int goal = sent_ + count;
    EXPECT_TRUE(wait_until([&] { return sent_ >= goal; }));
    thread_ = std::jthread();
    return failures_;
  }

 private:
  void send(std::uint16_t port, const std::string& client, int want) {
    SmtpClient session(port);
    session.xclient("ADDR=" + client);
    const SmtpReply reply =
        session.send("orders@example.com", {"reader@example.net"}, "Subject: order\n\nHello\n");
    ++sent_;
    if (reply.code != want)
      failures_.push_back(client + ": " + (reply.code == 0 ? "closed" : reply.text));
    session.command("QUIT");
  }

  std::atomic<int> sent_{0};
  std::vector<std::string> failures_;  // of the thread until it ends
  std::jthread thread_;
};

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
    EXPECT_THAT(mail.stop_after(4), testing::IsEmpty());
    fleet.change();
    EXPECT_TRUE(fleet.wait_enforced()) << fleet.logs();
  }
  EXPECT_FALSE(postfix.log_line({"warning: milter"})) << postfix.log();
}

}  // namespace
}  // namespace ipmit::test
