// SPDX-License-Identifier: Apache-2.0
#include <functional>

#include <gtest/gtest.h>

#include "policy/decide.h"
#include "tests/unit/policy/ask.h"

namespace ipmit::policy {
namespace {

TEST(ReplyFor, NamesReasonRuleAndEnd) {
  const auto reply = [](const Mitigation& mitigation, const char* matched) {
    const auto set = MitigationSet::build({.mitigations = {mitigation}});
    return reply_for(set->rule(0), matched).to_string();
  };
  Mitigation throttle = rule("mail/det-7f3a", Action::kThrottle, {kClient});
  throttle.ends = *common::parse_rfc3339("2026-11-25T18:00:00Z");
  EXPECT_EQ(reply(throttle, kClient),
            "451 4.7.1 203.0.113.9 exceeds 100 messages per hour "
            "(ipmit mail/det-7f3a until 2026-11-25T18:00Z)");
  throttle.rate_limit = RateLimit{
      .limit = 5, .period = std::chrono::minutes(15), .burst = 5, .unit = RateUnit::kRecipients};
  throttle.ends.reset();
  EXPECT_EQ(reply(throttle, kClient),
            "451 4.7.1 203.0.113.9 exceeds 5 recipients per 15m (ipmit mail/det-7f3a)");
  EXPECT_EQ(reply(deferral("d", {kClient}), "203.0.113.0/24"),
            "451 4.7.1 203.0.113.0/24: too many bounces (ipmit d)");
  EXPECT_EQ(reply(rule("r", Action::kReject, {kClient}), "user:alice"),
            "550 5.7.1 user:alice: too many bounces (ipmit r)");
  EXPECT_EQ(reply(with(deferral("d", {kClient}),
                       [](Mitigation& m) {
                         m.reply_code = "450";
                         m.reply_text = "see https://postmaster.example/ for 100% of the reasons";
                       }),
                  kClient),
            "450 4.7.1 see https://postmaster.example/ for 100% of the reasons");
  EXPECT_EQ(reply(with(rule("r", Action::kReject, {kClient}),
                       [](Mitigation& m) { m.reply_enhanced = "5.7.25"; }),
                  kClient),
            "550 5.7.25 203.0.113.9: too many bounces (ipmit r)");
}

TEST(ReplyFor, ALongReasonIsCutNotTheName) {
  Mitigation defer = deferral(std::string(200, 'n'), {kClient});
  defer.reason = std::string(500, 'r');
  defer.ends = *common::parse_rfc3339("2026-11-25T18:00:00Z");
  const auto set = MitigationSet::build({.mitigations = {defer}});
  const SmtpReply reply = reply_for(set->rule(0), kClient);
  EXPECT_EQ(reply.text().size(), SmtpReply::kMaxText);
  EXPECT_TRUE(reply.text().ends_with("rr... (ipmit " + defer.name + " until 2026-11-25T18:00Z)"));
}

}  // namespace
}  // namespace ipmit::policy
