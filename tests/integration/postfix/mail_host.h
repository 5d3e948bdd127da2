// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/smtp_client.h"
#include "tests/support/temp_milter.h"
#include "tests/support/temp_postfix.h"

namespace ipmit::test {

using policy::Action;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

// A Postfix and a milter of its own for each test; the milter is started by the test, once the
// rules it begins with are stored.
class MailHost : public ::testing::Test {
 protected:
  void SetUp() override {
    if (const auto reason = TempPostfix::missing()) GTEST_SKIP() << *reason;
    open({});
  }
  void open(const TempPostfix::Options& options) {
    milter_.reset();
    postfix_ = std::make_unique<TempPostfix>(options);
    milter_ = std::make_unique<TempMilter>(*postfix_);
  }
  void TearDown() override {
    if (!HasFailure() || !postfix_) return;
    std::cerr << "--- mail log\n" << postfix_->log();
    if (milter_) std::cerr << "--- milter log\n" << milter_->log();
  }

  // A session whose client, as Postfix sees it, is at `address` ("IPV6:2001:db8::1" for IPv6).
  std::unique_ptr<SmtpClient> client_at(const std::string& address) const {
    auto client = std::make_unique<SmtpClient>(postfix_->port());
    EXPECT_EQ(client->xclient("ADDR=" + address).code, 250);
    return client;
  }
  std::unique_ptr<SmtpClient> user(std::string_view name) const {
    auto client = std::make_unique<SmtpClient>(postfix_->submission_port());
    client->ehlo();
    EXPECT_EQ(client->auth_plain(name, TempPostfix::kPassword).code, 235);
    return client;
  }
  // One message of its own session.
  SmtpReply send(const std::string& address, std::string_view mark) const {
    return client_at(address)->send("a@example.com", {"b@example.org"}, mail_text(mark));
  }

  std::unique_ptr<TempPostfix> postfix_;
  std::unique_ptr<TempMilter> milter_;
};

}  // namespace ipmit::test
