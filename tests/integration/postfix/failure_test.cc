// SPDX-License-Identifier: Apache-2.0
#include <signal.h>

#include "tests/integration/postfix/mail_host.h"

// What Postfix does when the milter is absent, hung or dies: the operator's default_action, for
// that session; and that the next session is decided again once the milter is back.
namespace ipmit::test {
namespace {

struct Default {
  const char* action;
  int code;  // what a client gets for a message that nobody decides
};
void PrintTo(const Default& row, std::ostream* out) {
  *out << row.action;
}

class Failure : public MailHost, public ::testing::WithParamInterface<Default> {
 protected:
  void SetUp() override {
    if (const auto reason = TempPostfix::missing()) GTEST_SKIP() << *reason;
    TempPostfix::Options options;
    options.default_action = GetParam().action;
    open(options);
    milter_->put(rule("mail/blocked", Action::kReject, "203.0.113.9"));
  }
  // The reply to the first command that is not answered with 250 or 354, or the last one.
  SmtpReply send_in(SmtpClient& session, std::string_view mark) const {
    return session.send("a@example.com", {"b@example.org"}, mail_text(mark));
  }
  void expect_default(const SmtpReply& reply, std::string_view mark) const {
    EXPECT_EQ(reply.code, GetParam().code) << reply;
    if (GetParam().code == 250) {
      const auto message = postfix_->sink().wait_for("mark " + std::string(mark));
      ASSERT_TRUE(message);
      EXPECT_EQ(message->count_headers("X-Ipmit-Trace"), 0U) << "nobody stamped it";
    } else {
      EXPECT_TRUE(reply.starts_with("451 4.7.1 Service unavailable")) << reply;
    }
  }
};

TEST_P(Failure, MilterAbsent) {
  expect_default(send("203.0.113.9", "absent"), "absent");
  EXPECT_TRUE(postfix_->log_line({"connect to Milter service unix:ipmit/milter.sock"}));
  milter_->start();
  EXPECT_EQ(send("203.0.113.9", "back").code, 550) << "decided as soon as it is there";
}

TEST_P(Failure, MilterHung) {
  milter_->start();
  auto session = client_at("203.0.113.9");
  milter_->process().signal(SIGSTOP);
  expect_default(send_in(*session, "hung"), "hung");
  EXPECT_TRUE(postfix_->log_line({"can't read SMFIC_MAIL reply", "timed out"}));
  milter_->process().signal(SIGCONT);
  expect_default(send_in(*session, "same-session"), "same-session");
  EXPECT_EQ(send("203.0.113.9", "back").code, 550);
}

TEST_P(Failure, MilterKilledBetweenMessagesOfASession) {
  milter_->start();
  auto session = client_at("192.0.2.1");
  EXPECT_EQ(send_in(*session, "decided").code, 250);
  milter_->process().stop(SIGKILL);
  expect_default(send_in(*session, "undecided"), "undecided");
  milter_->start();
  EXPECT_EQ(send("203.0.113.9", "back").code, 550);
}

TEST_P(Failure, MilterKilledInsideAMessage) {
  milter_->start();
  auto session = client_at("192.0.2.1");
  ASSERT_EQ(session->command("MAIL FROM:<a@example.com>").code, 250);
  ASSERT_EQ(session->command("RCPT TO:<b@example.org>").code, 250);
  ASSERT_EQ(session->command("DATA").code, 354);
  milter_->process().stop(SIGKILL);
  expect_default(session->text(mail_text("cut")), "cut");
  EXPECT_TRUE(postfix_->queue().empty() || GetParam().code == 250) << "tempfail keeps nothing";
}

// libmilter cannot read what Postfix sends for a client that a proxy in front does not know, and
// closes: to Postfix that is a failure of the filter, for that session (docs/postfix.md, traps).
TEST_P(Failure, ClientThatXclientCallsUnavailable) {
  milter_->start();
  auto session = client_at("[UNAVAILABLE]");
  expect_default(send_in(*session, "unavailable"), "unavailable");
  EXPECT_EQ(send("203.0.113.9", "next").code, 550);
}

INSTANTIATE_TEST_SUITE_P(Default, Failure,
                         ::testing::Values(Default{"accept", 250}, Default{"tempfail", 451}),
                         [](const auto& row) { return row.param.action; });

class Recovery : public MailHost {};

// Restarted without its store it goes on with the rules that it saved before.
TEST_F(Recovery, RulesSurviveARestartWithoutTheStore) {
  milter_->put(rule("mail/blocked", Action::kReject, "203.0.113.9"));
  milter_->start();
  EXPECT_EQ(send("203.0.113.9", "one").code, 550);
  ASSERT_TRUE(wait_until([&] { return std::filesystem::exists(milter_->saved_rules()); }));
  EXPECT_EQ(milter_->process().stop(SIGTERM), 0) << milter_->log();
  milter_->damage_store();
  milter_->start_from_disk();
  EXPECT_EQ(send("203.0.113.9", "two").code, 550);
  EXPECT_EQ(send("203.0.113.8", "three").code, 250);
}

// Clients that vanish at every step, 105 of them, then one that is decided as ever.
TEST_F(Recovery, ClientsThatVanishDoNoHarm) {
  milter_->put(rule("mail/blocked", Action::kReject, "203.0.113.9"));
  milter_->start();
  const std::vector<std::string> steps{"EHLO client.example",     "XCLIENT ADDR=203.0.113.8",
                                       "EHLO client.example",     "MAIL FROM:<a@example.com>",
                                       "RCPT TO:<b@example.org>", "DATA"};
  for (std::size_t i = 0; i < 105; ++i) {
    SmtpClient client(postfix_->port());
    const std::size_t done = i % (steps.size() + 1);
    for (std::size_t step = 0; step < done; ++step) client.command(steps[step]);
    client.write_line(done == steps.size() ? "half a message" : steps[done]);
    client.reset_connection();
  }
  EXPECT_EQ(send("203.0.113.9", "x").code, 550);
  EXPECT_TRUE(wait_until([&] { return milter_->metric("ipmit_milter_messages_open") == 0.0; }));
  EXPECT_EQ(milter_->metric("ipmit_milter_internal_errors_total"), 0.0);
}

}  // namespace
}  // namespace ipmit::test
