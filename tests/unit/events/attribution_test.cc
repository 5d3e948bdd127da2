// SPDX-License-Identifier: Apache-2.0
#include "events/attribution.h"

#include <filesystem>

#include <gtest/gtest.h>

namespace ipmit::events {
namespace {

using std::chrono::hours;

class AttributionTest : public testing::Test {
 protected:
  AttributionTest() {
    char name[] = "/tmp/ipmit-attribution-XXXXXX";
    directory_ = mkdtemp(name);
    common::KeyRing::create_file(directory_ / "keys");
    common::KeyRing::create_file(directory_ / "other");
  }
  ~AttributionTest() override { std::filesystem::remove_all(directory_); }

  TraceFields fields(const char* queue_id = "4Sx1") const {
    TraceFields out;
    out.time = now;
    out.client = policy::IpAddress::parse("192.0.2.1");
    out.sender_domain = "shop.example";
    out.queue_id = queue_id;
    return out;
  }
  static MailResult about(const std::string& recipient, std::string token = "") {
    MailResult result;
    result.recipient = recipient;
    result.trace_token = std::move(token);
    return result;
  }
  LoggedDelivery delivery(const char* queue_id, const char* message_id, const char* recipient) {
    return {now, fields(queue_id), message_id, recipient};
  }

  std::filesystem::path directory_;
  common::TimePoint now = *common::parse_rfc3339("2026-11-25T12:00:00Z");
  common::SecretBox box() { return common::SecretBox(common::KeyRing::load(directory_ / "keys")); }
  common::SecretBox other() {
    return common::SecretBox(common::KeyRing::load(directory_ / "other"));
  }
};

TEST_F(AttributionTest, ATokenCountsOnce) {
  const common::SecretBox ours = box();
  Attributor attributor(ours);
  const std::string token = seal_trace(ours, fields());
  const auto first = attributor.attribute(about("ann@example.net", token), now + hours(1));
  EXPECT_EQ(first.how, Attribution::kToken);
  EXPECT_TRUE(first.counts());
  EXPECT_EQ(first.sender, fields());
  const auto again = attributor.attribute(about("bob@example.net", token), now + hours(1));
  EXPECT_EQ(again.how, Attribution::kReplayed);
  EXPECT_FALSE(again.counts());
}

TEST_F(AttributionTest, AFurtherRecipientCountsIfTheLogKnowsHimAndOnce) {
  const common::SecretBox ours = box();
  Attributor attributor(ours);
  attributor.add(delivery("4Sx1", "m1@shop.example", "Bob@Example.net"));
  const std::string token = seal_trace(ours, fields());
  EXPECT_EQ(attributor.attribute(about("ann@example.net", token), now).how, Attribution::kToken);
  EXPECT_EQ(attributor.attribute(about("bob@example.net", token), now).how, Attribution::kDelivery);
  EXPECT_EQ(attributor.attribute(about("bob@example.net", token), now).how, Attribution::kReplayed);
}

TEST_F(AttributionTest, TokensThatAreNoGood) {
  const common::SecretBox ours = box(), theirs = other();
  Attributor attributor(ours);
  const auto how = [&](const std::string& token, common::TimePoint at) {
    return attributor.attribute(about("ann@example.net", token), at).how;
  };
  const std::string token = seal_trace(ours, fields());
  EXPECT_EQ(how(seal_trace(theirs, fields()), now), Attribution::kForged);
  EXPECT_EQ(how("not a token", now), Attribution::kUnmatched);
  EXPECT_EQ(how("", now), Attribution::kUnmatched);
  EXPECT_EQ(how(token, now + hours(24 * 7) + hours(1)), Attribution::kExpired);
  EXPECT_EQ(how(token, now + hours(24 * 7)), Attribution::kToken);
  EXPECT_EQ(how(fold_trace(token), now + hours(24 * 7)), Attribution::kReplayed);
}

TEST_F(AttributionTest, ALoggedDeliverySpeaksForAReportWithoutToken) {
  const common::SecretBox ours = box();
  Attributor attributor(ours);
  attributor.add(delivery("4Sx1", "m1@shop.example", "ann@example.net"));
  attributor.add(delivery("4Sx2", "m2@shop.example", "ann@example.net"));
  MailResult by_message = about("ANN@example.net");
  by_message.message_id = "m1@shop.example";
  const auto found = attributor.attribute(by_message, now + hours(2));
  EXPECT_EQ(found.how, Attribution::kDelivery);
  EXPECT_EQ(found.sender.queue_id, "4Sx1");
  EXPECT_EQ(attributor.attribute(by_message, now + hours(2)).how, Attribution::kReplayed);
  MailResult by_queue = about("ann@example.net");
  by_queue.queue_id = "4Sx2";
  EXPECT_EQ(attributor.attribute(by_queue, now).sender.queue_id, "4Sx2");
  by_message.message_id = "m2@shop.example";
  by_message.recipient = "bob@example.net";
  EXPECT_EQ(attributor.attribute(by_message, now).how, Attribution::kUnmatched);
}

TEST_F(AttributionTest, ADeliveryIsForgottenAfterItsLifetimeAndForLackOfRoom) {
  const common::SecretBox ours = box();
  Attributor attributor(ours, {hours(24), 2, 2});
  MailResult report = about("ann@example.net");
  report.message_id = "m1@shop.example";
  attributor.add(delivery("1", "m1@shop.example", "ann@example.net"));
  EXPECT_EQ(attributor.attribute(report, now + hours(25)).how, Attribution::kUnmatched);
  attributor.add(delivery("2", "m2@shop.example", "ann@example.net"));
  attributor.add(delivery("3", "m3@shop.example", "ann@example.net"));
  EXPECT_EQ(attributor.deliveries(), 2U);
  EXPECT_EQ(attributor.forgotten(), 1U);
  EXPECT_EQ(attributor.attribute(report, now).how, Attribution::kUnmatched);
  report.message_id = "m3@shop.example";
  EXPECT_EQ(attributor.attribute(report, now).how, Attribution::kDelivery);
}

}  // namespace
}  // namespace ipmit::events
