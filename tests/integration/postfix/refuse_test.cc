// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <tuple>

#include "tests/integration/postfix/whom.h"

// Throttle, Defer and Reject: what the client is told, where, and what still gets through.
namespace ipmit::test {
namespace {

constexpr Action kRefusals[] = {Action::kThrottle, Action::kDefer, Action::kReject};

// "451 4.7.1 " or "550 5.7.1 "
std::string start_of_reply(Action action) {
  return action == Action::kReject ? "550 5.7.1 " : "451 4.7.1 ";
}

class RefusesAtMail : public WhomHost,
                      public ::testing::WithParamInterface<std::tuple<Action, Whom>> {};

TEST_P(RefusesAtMail, WhomItIsAboutAndNobodyElse) {
  const auto& [action, whom] = GetParam();
  auto refusal = rule("mail/refusal", action, whom.target);
  refusal.ends = common::parse_rfc3339("2099-01-02T03:04:00Z");
  milter_->put(refusal);
  milter_->start();

  auto session = open_session(whom);
  const std::string mail = "MAIL FROM:<" + std::string(whom.sender) + ">";
  if (action == Action::kThrottle) {  // one an hour
    EXPECT_EQ(session->send(whom.sender, {"b@example.org"}, mail_text("first")).code, 250);
    EXPECT_TRUE(postfix_->sink().wait_for("mark first"));
  }
  const auto refused = session->command(mail);
  EXPECT_TRUE(refused.starts_with(start_of_reply(action))) << refused;
  EXPECT_THAT(refused.text, HasSubstr("mail/refusal"));
  EXPECT_THAT(refused.text, HasSubstr("until 2099-01-02T03:04Z"));
  EXPECT_THAT(refused.text, Not(HasSubstr("\n"))) << "one line";
  EXPECT_EQ(session->command("RCPT TO:<b@example.org>").code, 503) << "no transaction is open";
  EXPECT_EQ(session->command(mail).text, refused.text) << "the session can go on";

  const auto passed =
      open_other(whom)->send(whom.other_sender, {"b@example.org"}, mail_text("other"));
  EXPECT_EQ(passed.code, 250) << passed;
  EXPECT_TRUE(postfix_->sink().wait_for("mark other"));
  EXPECT_EQ(postfix_->sink().messages().size(), action == Action::kThrottle ? 2U : 1U);
  EXPECT_TRUE(postfix_->wait_for_log({"milter-reject: MAIL from", refused.text}));
  EXPECT_TRUE(milter_->wait_for_log({"mitigation=mail/refusal", "stage=mail", "mode=enforced"}));
}

INSTANTIATE_TEST_SUITE_P(Every, RefusesAtMail,
                         ::testing::Combine(::testing::ValuesIn(kRefusals),
                                            ::testing::ValuesIn(kWhom)),
                         [](const auto& row) {
                           return std::string(policy::to_string(std::get<0>(row.param))) +
                                  std::get<1>(row.param).name;
                         });

class RefusesAtRcpt : public MailHost, public ::testing::WithParamInterface<Action> {};

TEST_P(RefusesAtRcpt, OneRecipientWhileOthersPass) {
  auto refusal = rule("mail/to-one-domain", GetParam(), "203.0.113.9");
  refusal.scope.recipient_domains.push_back(policy::DomainPattern::parse("example.net").value());
  milter_->put(refusal);
  milter_->start();

  auto session = client_at("203.0.113.9");
  if (GetParam() == Action::kThrottle) {
    EXPECT_EQ(session->send("a@example.com", {"z@example.net"}, mail_text("first")).code, 250);
  }
  const auto replies =
      session->pipeline({"MAIL FROM:<a@example.com>", "RCPT TO:<b@example.org>",
                         "RCPT TO:<c@example.net>", "RCPT TO:<d@example.com>", "DATA"});
  EXPECT_EQ(replies[0].code, 250);
  EXPECT_EQ(replies[1].code, 250);
  EXPECT_TRUE(replies[2].starts_with(start_of_reply(GetParam()))) << replies[2];
  EXPECT_THAT(replies[2].text, HasSubstr("mail/to-one-domain"));
  EXPECT_EQ(replies[3].code, 250);
  ASSERT_EQ(replies[4].code, 354);
  EXPECT_EQ(session->text(mail_text("rest")).code, 250);

  const auto message = postfix_->sink().wait_for("mark rest");
  ASSERT_TRUE(message);
  ASSERT_TRUE(wait_until([&] { return postfix_->queue().empty(); }));
  std::vector<std::string> reached;
  for (const auto& copy : postfix_->sink().messages()) {
    if (copy.text.find("mark rest") == std::string::npos) continue;
    reached.insert(reached.end(), copy.recipients.begin(), copy.recipients.end());
  }
  EXPECT_THAT(reached, ::testing::UnorderedElementsAre("b@example.org", "d@example.com"));
  EXPECT_TRUE(postfix_->log_line({"milter-reject: RCPT from", "to=<c@example.net>"}));
}

INSTANTIATE_TEST_SUITE_P(Every, RefusesAtRcpt, ::testing::ValuesIn(kRefusals),
                         [](auto& row) { return std::string(policy::to_string(row.param)); });

class Refusal : public MailHost {};

TEST_F(Refusal, NullSenderAndPostmasterAreNotRefused) {
  milter_->put(rule("mail/all", Action::kReject, "203.0.113.0/24"));
  auto to_all = rule("mail/rcpt", Action::kReject, "198.51.100.0/24");
  to_all.scope.recipient_domains.push_back(policy::DomainPattern::parse("example.org").value());
  milter_->put(to_all);
  milter_->start();
  EXPECT_EQ(client_at("203.0.113.9")->send("", {"b@example.org"}, mail_text("bounce")).code, 250);
  auto session = client_at("198.51.100.7");
  EXPECT_EQ(session->send("a@example.com", {"b@example.org"}, mail_text("no")).code, 550);
  const auto reply = session->send("a@example.com", {"Postmaster@example.org"}, mail_text("pm"));
  EXPECT_EQ(reply.code, 250) << reply;
  EXPECT_TRUE(postfix_->sink().wait_for("mark bounce"));
  EXPECT_TRUE(postfix_->sink().wait_for("mark pm"));
}

TEST_F(Refusal, ExemptAddressInABlockedRangePasses) {
  milter_->put(rule("mail/range", Action::kReject, "203.0.113.0/24"));
  milter_->exempt("203.0.113.25");
  milter_->start();
  EXPECT_EQ(send("203.0.113.24", "n24").code, 550);
  EXPECT_EQ(send("203.0.113.25", "n25").code, 250);
  EXPECT_EQ(send("203.0.113.26", "n26").code, 550);
  EXPECT_TRUE(postfix_->sink().wait_for("mark n25"));
  EXPECT_EQ(postfix_->sink().messages().size(), 1U);
}

TEST_F(Refusal, PercentAndOperatorsTextReachTheClientUnchanged) {
  auto refusal = rule("mail/text", Action::kReject, "203.0.113.9");
  refusal.reply_code = "554";
  refusal.reply_enhanced = "5.7.0";
  refusal.reply_text = "100% of 50%% used, see %s and $name {x}";
  milter_->put(refusal);
  milter_->start();
  const auto reply = send("203.0.113.9", "x");
  EXPECT_EQ(reply.text, "554 5.7.0 100% of 50%% used, see %s and $name {x}");
}

// What a pipelining client sent along with the refused MAIL finds no transaction; the session
// lives.
TEST_F(Refusal, PipeliningClientGetsOneReplyForEachCommandAndCanGoOn) {
  milter_->put(rule("mail/domain", Action::kDefer, "domain:news.example.com"));
  milter_->start();
  auto session = client_at("192.0.2.1");
  const auto replies = session->pipeline(
      {"MAIL FROM:<a@news.example.com>", "RCPT TO:<b@example.org>", "RCPT TO:<c@example.org>",
       "DATA", "RSET", "MAIL FROM:<a@example.com>", "RCPT TO:<b@example.org>", "DATA"});
  std::vector<int> codes;
  std::transform(replies.begin(), replies.end(), std::back_inserter(codes),
                 [](const SmtpReply& reply) { return reply.code; });
  ASSERT_THAT(codes, ElementsAre(451, 503, 503, 503, 250, 250, 250, 354));
  EXPECT_EQ(session->text(mail_text("second")).code, 250);
  EXPECT_TRUE(postfix_->sink().wait_for("mark second"));
}

TEST_F(Refusal, QuotaOfARefusedOrAbandonedMessageIsGivenBack) {
  auto limit = rule("mail/limit", Action::kThrottle, "203.0.113.9");
  limit.rate_limit->limit = 2;
  limit.rate_limit->burst = 2;
  milter_->put(limit);
  milter_->start();
  auto session = client_at("203.0.113.9");
  for (int i = 0; i < 5; ++i) {
    EXPECT_EQ(session->command("MAIL FROM:<a@example.com>").code, 250) << "attempt " << i;
    EXPECT_EQ(session->command("RSET").code, 250);
  }
  EXPECT_EQ(session->send("a@example.com", {"b@example.org"}, mail_text("1")).code, 250);
  EXPECT_EQ(session->send("a@example.com", {"b@example.org"}, mail_text("2")).code, 250);
  EXPECT_EQ(session->send("a@example.com", {"b@example.org"}, mail_text("3")).code, 451);
}

TEST_F(Refusal, ReleasedMitigationLetsMailThroughAgain) {
  milter_->put(rule("mail/out", Action::kReject, "203.0.113.9"));
  milter_->start();
  EXPECT_EQ(send("203.0.113.9", "before").code, 550);
  milter_->release("mail/out");
  EXPECT_EQ(send("203.0.113.9", "after").code, 250);
}

// From the change in the store to the refusal, in the middle of a session.
TEST_F(Refusal, ChangeInTheStoreIsEnforcedInAnOpenSession) {
  milter_->start();
  auto session = client_at("203.0.113.9");
  EXPECT_EQ(session->send("a@example.com", {"b@example.org"}, mail_text("free")).code, 250);
  auto added = rule("mail/hot", Action::kReject, "203.0.113.9");
  milter_->store().put(added, schema::PutMode::kAddOnly, {"test", "hot change"}, common::now());
  EXPECT_TRUE(wait_until([&] {
    const bool refused = session->command("MAIL FROM:<a@example.com>").code == 550;
    session->command("RSET");
    return refused;
  }));
}

TEST_F(Refusal, ChrootedPostfixFindsTheSocketToo) {
  TempPostfix::Options options;
  options.chroot = true;
  options.default_action = "tempfail";
  open(options);
  milter_->put(rule("mail/chroot", Action::kReject, "203.0.113.9"));
  milter_->start();
  EXPECT_EQ(send("203.0.113.9", "x").code, 550);
  EXPECT_EQ(send("203.0.113.8", "fine").code, 250) << postfix_->log();
  EXPECT_EQ(postfix_->sendmail("a@example.com", "b@example.org", mail_text("local")).status, 0);
  EXPECT_TRUE(postfix_->sink().wait_for("mark local"));
  EXPECT_FALSE(postfix_->log_line({"warning: connect to Milter service"}));
}

}  // namespace
}  // namespace ipmit::test
