// SPDX-License-Identifier: Apache-2.0
#include <tuple>

#include "tests/integration/postfix/whom.h"

// Quarantine, Reroute and Discard: accepted by reply, and then not delivered as usual.
namespace ipmit::test {
namespace {

class Routes : public WhomHost, public ::testing::WithParamInterface<Whom> {
 protected:
  // Sends to two domains; the queue id.
  std::string send_hit(const char* mark) {
    auto session = open_session(GetParam());
    const auto reply =
        session->send(GetParam().sender, {"b@example.org", "c@example.net"}, mail_text(mark));
    EXPECT_EQ(reply.code, 250) << reply;
    return reply.queue_id();
  }
  void send_other() {
    const auto reply = open_other(GetParam())
                           ->send(GetParam().other_sender, {"b@example.org"}, mail_text("other"));
    EXPECT_EQ(reply.code, 250) << reply;
    EXPECT_TRUE(postfix_->sink().wait_for("mark other")) << "others go the usual way";
  }
};

TEST_P(Routes, QuarantineHoldsWithReasonUntilReleased) {
  auto hold = rule("mail/hold", Action::kQuarantine, GetParam().target);
  hold.reason = "volume burst, 40 traps hit";
  milter_->put(hold);
  milter_->start();
  const std::string id = send_hit("held");
  send_other();

  const auto entry = postfix_->queued(id);
  ASSERT_TRUE(entry);
  EXPECT_EQ(entry->queue, "hold");
  EXPECT_TRUE(postfix_->log_line(
      {"cleanup", id, "milter-header-hold", "mail/hold", "volume burst, 40 traps hit"}));
  EXPECT_FALSE(postfix_->sink().find("mark held"));

  // Released although the rule is still in force: the filter does not see it again.
  EXPECT_EQ(postfix_->postsuper("-H", id).status, 0);
  EXPECT_EQ(postfix_->flush().status, 0);
  const auto message = postfix_->sink().wait_for("mark held");
  ASSERT_TRUE(message);
  EXPECT_EQ(message->count_headers("X-Ipmit-Hold"), 0U);
  EXPECT_EQ(message->count_headers("X-Ipmit-Trace"), 1U);
  EXPECT_TRUE(wait_until([&] { return postfix_->queue().empty(); }));
}

TEST_P(Routes, RerouteUsesTheOtherTransportForEveryRecipient) {
  milter_->put(rule("mail/slow", Action::kReroute, GetParam().target));
  milter_->start();
  const std::string id = send_hit("rerouted");
  send_other();
  ASSERT_TRUE(wait_until([&] { return postfix_->slow_sink().messages().size() == 2; }));
  for (const auto& message : postfix_->slow_sink().messages()) {
    EXPECT_EQ(message.count_headers("X-Ipmit-Route"), 0U);
    EXPECT_EQ(message.count_headers("X-Ipmit-Trace"), 1U);
  }
  EXPECT_FALSE(postfix_->sink().find("mark rerouted"));
  EXPECT_TRUE(postfix_->log_line({"cleanup", id, "milter-header-filter", ": slow:"}));
  // The next hop is the recipient's own domain.
  EXPECT_TRUE(postfix_->wait_for_log({"postfix/slow", id, "relay=example.org[", "status=sent"}));
  EXPECT_TRUE(postfix_->wait_for_log({"postfix/slow", id, "relay=example.net[", "status=sent"}));
}

TEST_P(Routes, DiscardThrowsAway) {
  auto discard = rule("mail/discard", Action::kDiscard, GetParam().target);
  discard.reason = "only worms come from here";
  milter_->put(discard);
  milter_->start();
  send_hit("discarded");
  send_other();
  EXPECT_TRUE(postfix_->log_line({"milter-header-discard", "mail/discard", "only worms"}));
  ASSERT_TRUE(wait_until([&] { return postfix_->queue().empty(); }));
  EXPECT_FALSE(postfix_->sink().find("mark discarded"));
  EXPECT_THAT(postfix_->slow_sink().messages(), IsEmpty());
}

INSTANTIATE_TEST_SUITE_P(Every, Routes, ::testing::ValuesIn(kWhom),
                         [](const auto& row) { return row.param.name; });

class Route : public MailHost {};

TEST_F(Route, RecipientInScopeMovesTheWholeMessage) {
  auto slow = rule("mail/slow", Action::kReroute, "203.0.113.9");
  slow.scope.recipient_domains.push_back(policy::DomainPattern::parse("example.net").value());
  milter_->put(slow);
  milter_->start();
  auto session = client_at("203.0.113.9");
  EXPECT_EQ(session->send("a@example.com", {"b@example.org"}, mail_text("out-of-scope")).code, 250);
  EXPECT_EQ(
      session->send("a@example.com", {"b@example.org", "c@example.net"}, mail_text("in-scope"))
          .code,
      250);
  EXPECT_TRUE(postfix_->sink().wait_for("mark out-of-scope"));
  EXPECT_TRUE(wait_until([&] { return postfix_->slow_sink().messages().size() == 2; }));
  EXPECT_FALSE(postfix_->sink().find("mark in-scope"));
}

// The runbook's way back to normal routing (docs/postfix.md).
TEST_F(Route, RequeueDropsTheRouteAndIsNotDecidedAgain) {
  milter_->put(rule("mail/slow", Action::kReroute, "203.0.113.9"));
  milter_->start();
  postfix_->slow_sink().refuse_recipients("450 4.2.0 not now");
  const auto id = client_at("203.0.113.9")
                      ->send("a@example.com", {"b@example.org"}, mail_text("requeued"))
                      .queue_id();
  ASSERT_TRUE(postfix_->wait_for_log({"postfix/slow", id, "status=deferred"}));
  ASSERT_TRUE(wait_until([&] {
    const auto entry = postfix_->queued(id);
    return entry && entry->queue == "deferred";
  }));
  EXPECT_EQ(postfix_->postsuper("-r", id).status, 0);
  EXPECT_EQ(postfix_->flush().status, 0);
  EXPECT_TRUE(postfix_->sink().wait_for("mark requeued")) << "by the normal way";
  EXPECT_TRUE(postfix_->wait_for_log({"pickup", "orig_id=" + id}));
  EXPECT_THAT(postfix_->slow_sink().messages(), IsEmpty());
}

TEST_F(Route, ForgedHeadersOfTheClientNeitherRouteNorSurvive) {
  milter_->put(rule("mail/slow", Action::kReroute, "203.0.113.9"));
  milter_->start();
  const auto forged = mail_text("forged",
                                "X-Ipmit-Hold: mine\nX-Ipmit-Route: discard\n"
                                "X-Ipmit-Trace: mine\nX-IPMIT-Discard: mine\nX-Ipmit-New: mine\n");
  EXPECT_EQ(client_at("203.0.113.9")->send("a@example.com", {"b@example.org"}, forged).code, 250);
  EXPECT_EQ(client_at("192.0.2.1")->send("a@example.com", {"b@example.org"}, forged).code, 250);
  const auto rerouted = postfix_->slow_sink().wait_for("mark forged");
  const auto normal = postfix_->sink().wait_for("mark forged");
  ASSERT_TRUE(rerouted && normal);
  for (const auto& message : {*rerouted, *normal}) {
    EXPECT_THAT(message.text, Not(HasSubstr("mine"))) << message.text;
    EXPECT_EQ(message.count_headers("X-Ipmit-Trace"), 1U);
    EXPECT_EQ(message.count_headers("X-Ipmit-Route"), 0U);
  }
}

TEST_F(Route, TransportThatMasterDoesNotHaveIsNotUsed) {
  auto unknown = rule("mail/unknown", Action::kReroute, "203.0.113.9");
  unknown.reroute_transport = "nosuch";  // not in reroute_transports
  milter_->put(unknown);
  milter_->start();
  EXPECT_EQ(send("203.0.113.9", "unknown").code, 250);
  EXPECT_TRUE(postfix_->sink().wait_for("mark unknown")) << "delivered as usual";
  EXPECT_TRUE(
      milter_->wait_for_log({"reroute_refused", "mitigation=mail/unknown", "transport=nosuch"}))
      << "and said so";
}

// A second way into the same Postfix, as after a content filter: neither decided nor counted.
TEST_F(Route, ReentryPortIsNotDecidedEvenWithTheFilterOn) {
  milter_->put(rule("mail/all", Action::kReject, "domain:example.com"));
  milter_->start();
  SmtpClient client(postfix_->reentry_port());
  client.ehlo();
  const auto reply = client.send("a@example.com", {"b@example.org"}, mail_text("again"));
  EXPECT_EQ(reply.code, 250) << reply;
}

}  // namespace
}  // namespace ipmit::test
