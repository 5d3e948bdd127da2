// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <regex>
#include <variant>

#include "common/secret_box.h"
#include "events/trace_token.h"
#include "tests/integration/postfix/mail_host.h"

// A word for GoogleTest, which would show bytes.
namespace ipmit::policy {
void PrintTo(Action action, std::ostream* out) {
  *out << to_string(action);
}
}  // namespace ipmit::policy

// What happens to messages that are let through, and to several in a row.
namespace ipmit::test {
namespace {

// Without what differs from run to run: queue ids.
std::vector<std::string> comparable(const std::vector<std::string>& transcript) {
  static const std::regex kQueueId("queued as [0-9A-F]+");
  std::vector<std::string> lines;
  std::transform(
      transcript.begin(), transcript.end(), std::back_inserter(lines),
      [](const std::string& line) { return std::regex_replace(line, kQueueId, "queued as ID"); });
  return lines;
}

class Message : public MailHost {
 protected:
  events::OpenedTrace open_trace(const SmtpSink::Message& message) const {
    const common::SecretBox box(common::KeyRing::load(milter_->key_file()));
    return events::open_trace(box, message.header(events::kTraceHeader).value_or(""), common::now(),
                              std::chrono::hours(1));
  }
};

TEST_F(Message, CarriesOneTraceHeaderThatOpens) {
  milter_->start();
  auto session = user("alice@example.com");
  const auto reply =
      session->send("News@Example.COM", {"b@example.org", "c@example.net"}, mail_text("traced"));
  ASSERT_EQ(reply.code, 250) << reply;
  const auto message = postfix_->sink().wait_for("mark traced");
  ASSERT_TRUE(message);
  EXPECT_EQ(message->count_headers("X-Ipmit-Trace"), 1U);
  EXPECT_TRUE(message->text.starts_with("X-Ipmit-Trace: ")) << "above everything";
  const auto opened = open_trace(*message);
  ASSERT_TRUE(std::holds_alternative<events::TraceFields>(opened)) << message->text;
  const auto& fields = std::get<events::TraceFields>(opened);
  EXPECT_EQ(fields.queue_id, reply.queue_id());
  EXPECT_EQ(fields.sasl_user, "alice@example.com");
  EXPECT_EQ(fields.sender_domain, "example.com");
  ASSERT_TRUE(fields.client);
  EXPECT_EQ(fields.client->to_string(), "127.0.0.1");
  for (std::size_t from = 0; from < message->text.size();) {
    const auto end = message->text.find('\n', from);
    EXPECT_LE(end - from, 78U) << "folded";
    from = end + 1;
  }
}

TEST_F(Message, TraceNamesAnIpv6ClientAndTheNullSender) {
  milter_->start();
  client_at("IPV6:2001:db8::25")->send("", {"b@example.org"}, mail_text("v6"));
  const auto message = postfix_->sink().wait_for("mark v6");
  ASSERT_TRUE(message);
  const auto opened = open_trace(*message);
  ASSERT_TRUE(std::holds_alternative<events::TraceFields>(opened));
  EXPECT_EQ(std::get<events::TraceFields>(opened).client->to_string(), "2001:db8::25");
  EXPECT_EQ(std::get<events::TraceFields>(opened).sender_domain, "");
}

// Three messages, three decisions: nothing of one leaks into the next.
TEST_F(Message, ThreeOfOneSessionAreDecidedEachByItself) {
  milter_->put(rule("mail/hold", Action::kQuarantine, "domain:hold.example.com"));
  milter_->put(rule("mail/slow", Action::kReroute, "domain:slow.example.com"));
  milter_->put(rule("mail/no", Action::kReject, "domain:no.example.com"));
  milter_->start();
  auto session = client_at("192.0.2.1");
  const auto held = session->send("a@hold.example.com", {"b@example.org"}, mail_text("m1"));
  const auto rerouted = session->send("a@slow.example.com", {"b@example.org"}, mail_text("m2"));
  const auto refused = session->send("a@no.example.com", {"b@example.org"}, mail_text("m3"));
  const auto passed = session->send("a@example.com", {"b@example.org"}, mail_text("m4"));
  EXPECT_EQ(held.code, 250);
  EXPECT_EQ(rerouted.code, 250);
  EXPECT_EQ(refused.code, 550);
  EXPECT_EQ(passed.code, 250);
  EXPECT_TRUE(postfix_->slow_sink().wait_for("mark m2"));
  EXPECT_TRUE(postfix_->sink().wait_for("mark m4"));
  ASSERT_TRUE(wait_until([&] { return postfix_->queue().size() == 1; }));
  EXPECT_EQ(postfix_->queue().front().id, held.queue_id());
  EXPECT_EQ(postfix_->queue().front().queue, "hold");
}

TEST_F(Message, AfterRsetIsANewOne) {
  milter_->put(rule("mail/hold", Action::kQuarantine, "domain:hold.example.com"));
  milter_->start();
  auto session = client_at("192.0.2.1");
  for (int i = 0; i < 20; ++i) {
    session->pipeline({"MAIL FROM:<a@hold.example.com>", "RCPT TO:<b@example.org>", "RSET"});
  }
  EXPECT_EQ(session->send("a@example.com", {"b@example.org"}, mail_text("after")).code, 250);
  EXPECT_TRUE(postfix_->sink().wait_for("mark after"));
  EXPECT_THAT(postfix_->queue(), IsEmpty());
}

TEST_F(Message, SentByBdatIsDecidedLikeOneSentByData) {
  milter_->put(rule("mail/hold", Action::kQuarantine, "domain:hold.example.com"));
  milter_->put(rule("mail/no", Action::kReject, "domain:no.example.com"));
  milter_->start();
  auto session = client_at("192.0.2.1");
  const auto send_chunks = [&](const std::string& sender, const std::string& mark) {
    session->command("MAIL FROM:<" + sender + ">");
    session->command("RCPT TO:<b@example.org>");
    EXPECT_EQ(session->bdat("Subject: chunks\r\n\r\n", false).code, 250);
    return session->bdat("mark " + mark + "\r\n", true);
  };
  const auto passed = send_chunks("a@example.com", "bdat");
  EXPECT_EQ(passed.code, 250) << passed;
  const auto message = postfix_->sink().wait_for("mark bdat");
  ASSERT_TRUE(message);
  EXPECT_EQ(message->count_headers("X-Ipmit-Trace"), 1U);
  const auto held = send_chunks("a@hold.example.com", "bdat-held");
  EXPECT_EQ(held.code, 250) << held;
  ASSERT_TRUE(postfix_->queued(held.queue_id()));
  EXPECT_EQ(postfix_->queued(held.queue_id())->queue, "hold");
  EXPECT_EQ(session->command("MAIL FROM:<a@no.example.com>").code, 550);
}

TEST_F(Message, FromALoopbackClientIsLeftToRulesOfUserAndDomain) {
  milter_->put(rule("mail/loopback", Action::kReject, "::1"));
  milter_->put(rule("mail/no", Action::kReject, "domain:no.example.com"));
  milter_->start();
  SmtpClient session(postfix_->port6(), "::1");
  session.ehlo();
  EXPECT_EQ(session.send("a@example.com", {"b@example.org"}, mail_text("v6")).code, 250);
  EXPECT_EQ(session.send("a@no.example.com", {"b@example.org"}, mail_text("no")).code, 550);
  EXPECT_TRUE(postfix_->sink().wait_for("mark v6"));
}

class Observed : public MailHost, public ::testing::WithParamInterface<Action> {};

// The same dialogue without and with a rule that only watches: not one byte differs for the client,
// and the mail arrives at the same place.
TEST_P(Observed, ChangesNothingThatTheClientCanSee) {
  milter_->start();
  std::string first_queue_id;
  const auto talk = [this, &first_queue_id](const std::string& mark) {
    auto session = client_at("203.0.113.9");
    first_queue_id =
        session->send("a@example.com", {"b@example.org", "c@example.net"}, mail_text("watched"))
            .queue_id();
    session->pipeline({"MAIL FROM:<a@example.com>", "RCPT TO:<b@example.org>", "RSET"});
    session->send("", {"b@example.org"}, mail_text(mark));
    session->command("QUIT");
    auto lines = comparable(session->transcript());
    std::erase(lines, "C: mark " + mark);
    return lines;
  };
  const auto without = talk("without");
  auto watching = rule("mail/watch", GetParam(), "203.0.113.0/24");
  if (GetParam() != Action::kObserve) watching.mode = policy::Mode::kDryRun;
  milter_->put(watching);
  EXPECT_EQ(talk("with"), without);
  EXPECT_TRUE(postfix_->sink().wait_for("mark with\n"));
  EXPECT_TRUE(wait_until([&] { return postfix_->queue().empty(); }));
  EXPECT_THAT(postfix_->slow_sink().messages(), IsEmpty());
  EXPECT_TRUE(milter_->wait_for_log({"queue_id=" + first_queue_id + " ", "mitigation=mail/watch",
                                     "mode=observed",
                                     "action=" + std::string(policy::to_string(GetParam()))}));
}

INSTANTIATE_TEST_SUITE_P(Every, Observed,
                         ::testing::Values(Action::kObserve, Action::kThrottle, Action::kDefer,
                                           Action::kReject, Action::kQuarantine, Action::kReroute,
                                           Action::kDiscard),
                         [](const auto& row) { return std::string(policy::to_string(row.param)); });

class Local : public MailHost {};

TEST_F(Local, MailIsStampedAndRouted) {
  milter_->put(rule("mail/hold", Action::kQuarantine, "domain:hold.example.com"));
  milter_->put(rule("mail/slow", Action::kReroute, "domain:slow.example.com"));
  milter_->start();
  for (const char* name : {"hold", "slow", "plain"}) {
    const auto sender = "root@" + std::string(name) + ".example.com";
    EXPECT_EQ(postfix_->sendmail(sender, "b@example.org", mail_text(name)).status, 0);
  }
  const auto plain = postfix_->sink().wait_for("mark plain");
  ASSERT_TRUE(plain);
  EXPECT_EQ(plain->count_headers("X-Ipmit-Trace"), 1U);
  EXPECT_TRUE(postfix_->slow_sink().wait_for("mark slow"));
  EXPECT_TRUE(postfix_->wait_for_log({"cleanup", "milter-header-hold", "mail/hold"}));
}

// There is no client who could be told: the mail waits in the maildrop and goes out once it may.
TEST_F(Local, MailIsNeverRejected) {
  milter_->put(rule("mail/no", Action::kReject, "domain:no.example.com"));
  milter_->start();
  EXPECT_EQ(postfix_->sendmail("root@no.example.com", "b@example.org", mail_text("kept")).status,
            0);
  EXPECT_TRUE(postfix_->wait_for_log({"milter-reject: END-OF-MESSAGE", "mail/no"}));
  EXPECT_FALSE(postfix_->log_line({"status=bounced"}));
  EXPECT_TRUE(wait_until([&] {
    const auto listed = postfix_->queue();
    return listed.size() == 1 && listed[0].queue == "maildrop";
  })) << "and mailq shows it";
  milter_->release("mail/no");
  EXPECT_TRUE(postfix_->sink().wait_for("mark kept"));
}

}  // namespace
}  // namespace ipmit::test
