// SPDX-License-Identifier: Apache-2.0
// The built program against a client of our own that speaks Postfix's side of the protocol.
#include <gtest/gtest.h>

#include "tests/support/milter_client.h"
#include "tests/support/milter_daemon.h"

namespace ipmit::test {
namespace {

using policy::Action;

std::vector<policy::Mitigation> rules() {
  return {make_rule("test/defer", "domain:defer.example", Action::kDefer),
          make_rule("test/reject", "domain:reject.example", Action::kReject),
          make_rule("test/hold", "domain:hold.example", Action::kQuarantine),
          make_rule("test/route", "domain:route.example", Action::kReroute),
          make_rule("test/discard", "domain:discard.example", Action::kDiscard),
          make_rule("test/address", "203.0.113.0/24", Action::kDefer)};
}

class Dialogue : public testing::Test {
 protected:
  void SetUp() override {
    MilterDaemon::put(directory_, rules());
    daemon_ = std::make_unique<MilterDaemon>(directory_, "milter", MilterDaemon::Options{});
    ASSERT_TRUE(daemon_->wait_ready()) << daemon_->log();
  }
  MilterClient session(std::string_view address = "198.51.100.7") {
    return open_session(daemon_->address(), address);
  }
  double outcome(std::string_view name) const {
    return daemon_->metric("ipmit_milter_messages_total{outcome=\"" + std::string(name) + "\"}");
  }

  TempDir directory_{"milter"};
  std::unique_ptr<MilterDaemon> daemon_;
};

EomReply send_message(MilterClient& client, std::string_view sender) {
  EXPECT_EQ(client.mail(sender).command, 'c') << sender;
  EXPECT_EQ(client.rcpt("<b@example.net>", {{"i", "4QUEUE"}}).command, 'c') << sender;
  return client.eom({{"i", "4QUEUE"}});
}

TEST_F(Dialogue, NegotiatesOnlyWhatItNeeds) {
  MilterClient client(daemon_->address());
  ASSERT_TRUE(client.negotiate());
  EXPECT_EQ(client.actions(), 0x111U);  // add, change headers; own macro lists
  // No HELO, body, headers, EOH, unknown, DATA; refused recipients, too; every answer is sent.
  EXPECT_EQ(client.steps(), 0xb72U);
  EXPECT_NE(client.symbol_lists().find("i {auth_authen} {auth_type} {mail_addr}"),
            std::string::npos);
}

TEST_F(Dialogue, WorksWhenTheMtaOffersLess) {
  MilterClient client(daemon_->address());
  ASSERT_TRUE(client.negotiate(0x1f, 0x7d));
  EXPECT_EQ(client.actions(), 0x11U);
  EXPECT_EQ(client.steps(), 0x70U);
  EXPECT_TRUE(client.symbol_lists().empty());
  EXPECT_EQ(client.connect("client.example", "198.51.100.7").command, 'c');
  client.wire().send('H', std::string_view("client.example\0", 15));
  EXPECT_EQ(client.read_reply().command, 'c');
  EXPECT_EQ(client.mail("<a@defer.example>").command, 'y');
  EXPECT_EQ(client.mail("<a@example.com>").command, 'c');
  EXPECT_EQ(client.rcpt("<b@example.net>").command, 'c');
  client.wire().send('T', {});  // DATA: it could not be asked to leave it out
  EXPECT_EQ(client.read_reply().command, 'c');
  EXPECT_EQ(client.eom().reply.command, 'c');
}

TEST_F(Dialogue, EveryActionAtItsStage) {
  MilterClient client = session();
  EXPECT_EQ(client.mail("<a@defer.example>").text.substr(0, 9), "451 4.7.1");
  EXPECT_EQ(client.mail("<a@reject.example>").text.substr(0, 9), "550 5.7.1");
  const struct {
    const char *sender, *header, *value;
  } rows[] = {{"<a@hold.example>", "X-Ipmit-Hold", "ipmit test/hold: test test/hold"},
              {"<a@route.example>", "X-Ipmit-Route", "slow"},
              {"<a@discard.example>", "X-Ipmit-Discard", "ipmit test/discard: test test/discard"}};
  for (const auto& row : rows) {
    const EomReply answer = send_message(client, row.sender);
    EXPECT_EQ(answer.reply.command, 'c');
    ASSERT_EQ(answer.edits.size(), 3U);
    EXPECT_EQ(answer.edits[0].kind, 'i');
    EXPECT_EQ(answer.edits[0].name, "X-Ipmit-Trace");
    EXPECT_EQ(answer.edits[0].index, 0U);
    EXPECT_EQ(answer.edits[1].kind, 'h');
    EXPECT_EQ(answer.edits[1].name, row.header);
    EXPECT_EQ(answer.edits[1].value, row.value);
    EXPECT_EQ(answer.edits[2].kind, 'm');
    EXPECT_EQ(answer.edits[2].name, row.header);
    EXPECT_EQ(answer.edits[2].value, "");
  }
  EXPECT_EQ(session("203.0.113.9").mail("<a@example.com>").text.substr(0, 9), "451 4.7.1");
  EXPECT_NE(daemon_->log().find("queue_id=4QUEUE"), std::string::npos);
}

TEST_F(Dialogue, ThreeMessagesOfOneSessionAreThreeDecisions) {
  MilterClient client = session();
  EXPECT_EQ(send_message(client, "<a@hold.example>").edits.size(), 3U);
  EXPECT_EQ(send_message(client, "<a@example.com>").edits.size(), 1U);
  EXPECT_EQ(client.mail("<a@defer.example>").command, 'y');
  EXPECT_EQ(send_message(client, "<a@route.example>").edits.size(), 3U);
  EXPECT_EQ(send_message(client, "<>").edits.size(), 1U);
}

TEST_F(Dialogue, TheTraceHeaderIsFoldedForSmtp) {
  MilterClient client = session();
  const EomReply answer = send_message(client, "<a@example.com>");
  ASSERT_EQ(answer.edits.size(), 1U);
  const std::string header = "X-Ipmit-Trace: " + answer.edits[0].value;
  EXPECT_EQ(header.find('\r'), std::string::npos);
  std::size_t start = 0;
  for (std::size_t end = header.find('\n'); start < header.size(); end = header.find('\n', start)) {
    const std::string line = header.substr(start, end - start);
    EXPECT_LE(line.size(), 78U);
    EXPECT_TRUE(start == 0 || line.front() == '\t');
    if (end == std::string::npos) break;
    start = end + 1;
  }
}

// What is counted adds up: started = open + the sum of the outcomes (docs/metrics.md).
TEST_F(Dialogue, TheBalanceOfMessagesHolds) {
  MilterClient client = session();
  client.mail("<a@defer.example>");
  client.mail("<a@reject.example>");
  send_message(client, "<a@hold.example>");
  send_message(client, "<a@example.com>");
  client.mail("<a@example.com>");
  client.abort();
  client.abort();
  client.mail("<a@example.com>");
  client.mail("<a@example.com>");  // the one before counts as aborted
  EXPECT_EQ(daemon_->metric("ipmit_milter_messages_started_total"), 7);
  EXPECT_EQ(daemon_->metric("ipmit_milter_messages_open"), 1);
  client.quit();
  ASSERT_TRUE(wait_until([&] { return daemon_->metric("ipmit_milter_messages_open") == 0; }));
  EXPECT_EQ(outcome("deferred"), 1);
  EXPECT_EQ(outcome("rejected"), 1);
  EXPECT_EQ(outcome("quarantined"), 1);
  EXPECT_EQ(outcome("accepted"), 1);
  EXPECT_EQ(outcome("aborted"), 3);
  double sum = 0;
  for (const char* name :
       {"accepted", "exempt", "reentry", "throttled", "deferred", "rejected", "quarantined",
        "rerouted", "discarded", "fallback", "aborted", "failed"}) {
    sum += outcome(name);
  }
  EXPECT_EQ(sum, daemon_->metric("ipmit_milter_messages_started_total"));
}

TEST_F(Dialogue, ClientsWithoutAnAddressAreUnknownNotAnError) {
  MilterClient client(daemon_->address());
  ASSERT_TRUE(client.negotiate());
  EXPECT_EQ(client.connect_unknown().command, 'c');
  EXPECT_EQ(client.mail("<a@defer.example>").command, 'y');
  EXPECT_EQ(send_message(client, "<a@example.com>").reply.command, 'c');
  EXPECT_EQ(daemon_->metric("ipmit_milter_clients_unknown_total"), 1);
  EXPECT_NE(daemon_->log().find("client_unknown"), std::string::npos);
}

TEST_F(Dialogue, RefusedRecipientsAndOddCommandsAreNoTrouble) {
  MilterClient client = session();
  EXPECT_EQ(client.mail("<a@example.com>").command, 'c');
  EXPECT_EQ(client
                .rcpt("<b@example.net>", {{"{rcpt_mailer}", "error"},
                                          {"{rcpt_host}", "5.1.1"},
                                          {"{rcpt_addr}", "550 5.1.1 no such user"}})
                .command,
            'c');
  EXPECT_EQ(client.rcpt("<c@example.net>", {{"i", ""}, {"{rcpt_mailer}", "smtp"}}).command, 'c');
  client.macros('E', {});
  EXPECT_EQ(client.eom().reply.command, 'c');
  EXPECT_EQ(daemon_->metric("ipmit_milter_recipients_total{outcome=\"refused_by_mta\"}"), 1);
  EXPECT_EQ(daemon_->metric("ipmit_milter_recipients_total{outcome=\"accepted\"}"), 1);
  EXPECT_EQ(daemon_->metric("ipmit_milter_macros_missing_total"), 1);
  EXPECT_EQ(client.mail("").command, 'c');
  EXPECT_EQ(client.mail("<" + std::string(60'000, 'x') + "@example.com>").command, 'c');
}

}  // namespace
}  // namespace ipmit::test
