// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/cli/shell.h"

namespace ipmit::cli {
namespace {

using testing::HasSubstr;

constexpr const char* kBounce =
    R"({"email": "ann@example.net", "timestamp": 1795600000, "event": "bounce",
        "sg_event_id": "e1", "reason": "550 5.1.1 user unknown", "status": "5.1.1"})";

TEST(ParseProvider, ReadsStandardInputAndFiles) {
  Shell shell;
  shell.write("a.json", kBounce);
  const auto from_stdin = shell.run({"parse", "provider"}, kBounce);
  EXPECT_EQ(from_stdin.code, kOk);
  EXPECT_THAT(from_stdin.out, HasSubstr(R"("recipient":"ann@example.net")"));
  EXPECT_THAT(from_stdin.out, HasSubstr(R"("class":"hard_user","hardbounce":true)"));
  EXPECT_EQ(shell.run({"parse", "provider", "--from", "sendgrid", shell.path("a.json")}).out,
            from_stdin.out);
}

TEST(ParseProvider, ABadRecordIsToldAndTheOthersAreUsed) {
  Shell shell;
  const auto result =
      shell.run({"parse", "provider", "--from", "sendgrid", "-"},
                std::string("{\"event\": \"bounce\"}\n") + kBounce + "\nnonsense\n");
  EXPECT_EQ(result.code, kBadInput);
  EXPECT_THAT(result.out, HasSubstr("ann@example.net"));
  EXPECT_EQ(result.err,
            "ipmitctl: -: record 1, line 1: timestamp: missing\n"
            "ipmitctl: -: record 3, line 4: not a JSON object\n"
            "ipmitctl: -: 3 records, 2 bad\n");
}

TEST(ParseProvider, ASubscriptionThatWaitsIsToldWithItsAddress) {
  Shell shell;
  const auto result = shell.run({"parse", "provider"},
                                R"({"Type": "SubscriptionConfirmation", "TopicArn": "arn:x",
                                    "SubscribeURL": "https://sns.example/?t=1"})");
  EXPECT_EQ(result.code, kOk);
  EXPECT_EQ(result.out, "");
  EXPECT_EQ(result.err,
            "ipmitctl: warning: -: Amazon SNS waits for somebody to open "
            "https://sns.example/?t=1\n");
}

TEST(ParseProvider, WhatCannotBeReadIsRefused) {
  Shell shell;
  EXPECT_EQ(shell.run({"parse", "provider", "--from", "smoke"}, "").err,
            "ipmitctl: parse provider: --from: wants ses, sendgrid, mailgun, postmark, kumomta or "
            "ipmit, has \"smoke\"\n");
  const auto missing = shell.run({"parse", "provider", "/none.json"});
  EXPECT_EQ(missing.code, kBadInput);
  EXPECT_EQ(missing.err, "ipmitctl: /none.json: cannot read: No such file or directory\n");
}

}  // namespace
}  // namespace ipmit::cli
