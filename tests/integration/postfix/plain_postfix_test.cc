// SPDX-License-Identifier: Apache-2.0
#include <fstream>
#include <memory>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include "tests/support/smtp_client.h"
#include "tests/support/temp_postfix.h"

// Postfix with the shipped configuration and no filter behind it: what the other tests stand on.
namespace ipmit::test {
namespace {

using ::testing::HasSubstr;

using ::testing::Not;

class PlainPostfix : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    if (!TempPostfix::missing()) postfix_ = std::make_unique<TempPostfix>();
  }
  static void TearDownTestSuite() { postfix_.reset(); }
  void SetUp() override {
    if (const auto reason = TempPostfix::missing()) GTEST_SKIP() << *reason;
  }

  static std::unique_ptr<TempPostfix> postfix_;
};
std::unique_ptr<TempPostfix> PlainPostfix::postfix_;

TEST_F(PlainPostfix, ShippedConfigurationPassesPostfixCheck) {
  const auto checked = postfix_->check();
  EXPECT_EQ(checked.status, 0) << checked.output;
  EXPECT_THAT(checked.output, Not(HasSubstr("warning"))) << "postfix check";
  const auto shown = run_command({"postconf", "-c", postfix_->config_directory().string(), "-n"});
  EXPECT_THAT(shown.output, Not(HasSubstr("warning"))) << "unused or repeated settings";
  EXPECT_THAT(shown.output, HasSubstr("nested_header_checks ="));
  EXPECT_THAT(shown.output, HasSubstr("milter_header_checks = regexp:"));
}

TEST_F(PlainPostfix, DeliversToTheSink) {
  SmtpClient client(postfix_->port());
  ASSERT_EQ(client.ehlo().code, 250);
  const auto reply =
      client.send("a@example.com", {"b@example.org"}, mail_text("plain", "X-Dot: yes\n") + ".\n");
  ASSERT_EQ(reply.code, 250) << reply;
  const auto message = postfix_->sink().wait_for("mark plain");
  ASSERT_TRUE(message) << postfix_->log();
  EXPECT_EQ(message->sender, "a@example.com");
  EXPECT_THAT(message->recipients, ::testing::ElementsAre("b@example.org"));
  EXPECT_EQ(message->header("x-dot"), "yes");
  EXPECT_EQ(message->body(), "mark plain\n.\n");
}

TEST_F(PlainPostfix, TakesAddressAndLoginFromXclient) {
  SmtpClient client(postfix_->port());
  ASSERT_EQ(client.xclient("ADDR=IPV6:2001:db8::7 LOGIN=carol").code, 250);
  const auto id = client.send("a@example.com", {"b@example.org"}, mail_text("x")).queue_id();
  ASSERT_NE(id, "");
  EXPECT_TRUE(postfix_->wait_for_log({id, "client=unknown[2001:db8::7]", "sasl_username=carol"}))
      << postfix_->log();
}

TEST_F(PlainPostfix, AuthenticatesAgainstItsOwnUsers) {
  SmtpClient client(postfix_->submission_port());
  client.ehlo();
  EXPECT_EQ(client.auth_plain(TempPostfix::kUser, "wrong").code, 535);
  EXPECT_EQ(client.auth_plain(TempPostfix::kUser, TempPostfix::kPassword).code, 235);
  EXPECT_EQ(client.send("a@example.com", {"b@example.org"}, mail_text("sasl")).code, 250);
}

TEST_F(PlainPostfix, ListensOnIpv6) {
  SmtpClient client(postfix_->port6(), "::1");
  client.ehlo();
  EXPECT_EQ(client.send("a@example.com", {"b@example.org"}, mail_text("v6")).code, 250);
}

TEST_F(PlainPostfix, TakesLocalMail) {
  const auto sent = postfix_->sendmail("root@example.com", "b@example.org", mail_text("local"));
  EXPECT_EQ(sent.status, 0) << sent.output;
  EXPECT_TRUE(postfix_->sink().wait_for("mark local")) << postfix_->log();
}

// What a client forges goes, what came back inside a bounce stays.
TEST_F(PlainPostfix, RemovesForgedHeadersAndKeepsNestedOnes) {
  SmtpClient client(postfix_->port());
  client.ehlo();
  const std::string text =
      "From: a@example.com\nX-Ipmit-Route: slow\nx-ipmit-trace: forged\nX-Other: stays\n"
      "MIME-Version: 1.0\nContent-Type: multipart/report; boundary=b\n\n"
      "--b\nContent-Type: message/rfc822\n\nX-Ipmit-Trace: genuine\nSubject: inner\n\nbody\n\n"
      "--b\nContent-Type: text/rfc822-headers\n\nX-Ipmit-Trace: genuine too\n\n--b--\n";
  ASSERT_EQ(client.send("", {"b@example.org"}, text).code, 250);
  const auto message = postfix_->sink().wait_for("X-Other: stays");
  ASSERT_TRUE(message) << "a forged route header must not route";
  EXPECT_EQ(message->count_headers("X-Ipmit-Route"), 0U);
  EXPECT_EQ(message->count_headers("X-Ipmit-Trace"), 0U);
  EXPECT_THAT(message->body(), HasSubstr("\nX-Ipmit-Trace: genuine\n"));
  EXPECT_THAT(message->body(), HasSubstr("\nX-Ipmit-Trace: genuine too\n"));
}

TEST_F(PlainPostfix, ReentryPortKeepsTheTraceHeaderOfTheFirstPass) {
  SmtpClient client(postfix_->reentry_port());
  client.ehlo();
  const auto reply = client.send("a@example.com", {"b@example.org"},
                                 mail_text("again", "X-Ipmit-Trace: first pass\n"));
  ASSERT_EQ(reply.code, 250) << reply;
  const auto message = postfix_->sink().wait_for("mark again");
  ASSERT_TRUE(message);
  EXPECT_EQ(message->header("X-Ipmit-Trace"), "first pass");
}

TEST_F(PlainPostfix, LeavesNoProcessAndNoFileBehind) {
  std::filesystem::path directory;
  pid_t master = 0;
  {
    TempPostfix::Options options;
    options.chroot = true;
    TempPostfix postfix(options);
    SmtpClient client(postfix.port());
    client.ehlo();
    EXPECT_EQ(client.send("a@example.com", {"b@example.org"}, mail_text("chrooted")).code, 250);
    EXPECT_TRUE(postfix.sink().wait_for("mark chrooted")) << postfix.log();
    directory = postfix.directory().path();
    std::ifstream pid_file(postfix.queue_directory() / "pid/master.pid");
    pid_file >> master;
    ASSERT_GT(master, 1);
    ASSERT_EQ(::kill(-master, 0), 0) << "the process group is there";
  }
  EXPECT_FALSE(std::filesystem::exists(directory));
  EXPECT_NE(::kill(-master, 0), 0);
}

}  // namespace
}  // namespace ipmit::test
