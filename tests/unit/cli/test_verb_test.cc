// SPDX-License-Identifier: Apache-2.0
// ipmitctl test: what the milter would do with a mail.
#include <gtest/gtest.h>

#include "tests/unit/cli/shell.h"

namespace ipmit::cli {
namespace {

class TestVerb : public testing::Test {
 protected:
  void add(std::vector<std::string> words) {
    words.insert(words.begin(), {"add", "-r", "why", "--for", "1h"});
    const auto result = shell_.run(words);
    ASSERT_EQ(result.code, kOk) << result.err;
  }
  std::string test(std::vector<std::string> words) {
    words.insert(words.begin(), "test");
    const auto result = shell_.run(words);
    EXPECT_EQ(result.code, kOk) << result.err;
    return result.out;
  }
  std::string mail_from(const std::string& client) {
    return test({"--client", client, "--from", "a@example.com", "--to", "b@example.net"});
  }
  Shell shell_;
};

TEST_F(TestVerb, MailThatNothingMatchesIsAccepted) {
  EXPECT_EQ(mail_from("203.0.113.9"),
            "decision  Accept\n"
            "revision  0\n");
}

TEST_F(TestVerb, ARefusalAtMailTellsTheReply) {
  add({"-n", "mail/range", "-t", "203.0.113.0/24", "-a", "defer"});
  EXPECT_EQ(mail_from("203.0.113.9"), R"(decision  Defer
answer    Defer at MAIL
by        mail/range, which names 203.0.113.0/24
reason    why
reply     451 4.7.1 203.0.113.0/24: why (ipmit mail/range until 2026-11-25T13:00Z)
revision  1
)");
}

TEST_F(TestVerb, AThrottleTellsLimitAndReply) {
  add({"-n", "mail/burst", "-t", "203.0.113.9", "-a", "throttle", "--limit", "100/1h", "--unit",
       "messages"});
  EXPECT_EQ(mail_from("203.0.113.9"),
            R"(decision    Throttle
limited by  mail/burst to 100 messages per 1h, burst 100
counts      1 for 203.0.113.9
above it    451 4.7.1 203.0.113.9 exceeds 100 messages per hour (ipmit mail/burst until 2026-11-25T13:00Z)
revision    1
)");
}

TEST_F(TestVerb, RecipientsMayGetDifferentAnswers) {
  add({"-n", "mail/to-net", "-t", "203.0.113.9", "-a", "reject", "--scope-recipient-domain",
       "example.net"});
  const std::string both = test({"--client", "203.0.113.9", "--from", "a@example.com", "--to",
                                 "b@example.net", "c@example.org"});
  EXPECT_EQ(both, R"(decision  Accept
answer    Reject at RCPT b@example.net
by        mail/to-net, which names 203.0.113.9
reason    why
reply     550 5.7.1 203.0.113.9: why (ipmit mail/to-net until 2026-11-25T13:00Z)
revision  1
)");
  const std::string one = mail_from("203.0.113.9");
  EXPECT_EQ(one.substr(0, one.find('\n')), "decision  Reject");
}

TEST_F(TestVerb, RoutingIsDecidedAtTheEnd) {
  add({"-n", "mail/slow", "-t", "domain:example.com", "-a", "reroute", "--transport", "slow"});
  const std::string out = mail_from("192.0.2.1");
  EXPECT_NE(out.find("answer     Reroute at end of message\n"), std::string::npos) << out;
  EXPECT_NE(out.find("transport  slow\n"), std::string::npos) << out;
  shell_.write("ipmit.yaml", "store: sqlite:" + shell_.path("ipmit.db") + "\n");
  const std::string without = mail_from("192.0.2.1");
  EXPECT_NE(without.find("decision  Accept\n"), std::string::npos) << without;
  EXPECT_NE(without.find("mail/slow is not followed: transport slow is not in "
                         "milter.reroute_transports\n"),
            std::string::npos)
      << without;
}

TEST_F(TestVerb, ExemptionsAndDryRunsAreSaid) {
  add({"-n", "mail/all", "-t", "203.0.113.0/24", "-a", "reject"});
  add({"-n", "mail/look", "-t", "192.0.2.1", "-a", "reject", "--dry-run"});
  ASSERT_EQ(shell_.run({"exempt", "add", "203.0.113.9", "-r", "ours"}).code, kOk);
  EXPECT_EQ(mail_from("203.0.113.9"),
            "decision  Accept\n"
            "exempt    203.0.113.9: no mitigation applies\n"
            "revision  3\n");
  EXPECT_EQ(mail_from("192.0.2.1"),
            "decision     Accept\n"
            "observed by  mail/look (counts and logs, does nothing)\n"
            "revision     3\n");
}

TEST_F(TestVerb, UsersAreFoundInAnyCaseAndProxiesAreNoSenders) {
  add({"-n", "mail/user", "-t", "user:alice@example.com", "-a", "reject"});
  add({"-n", "mail/lo", "-t", "127.0.0.1", "-a", "observe"});
  const std::string out = test({"--client", "192.0.2.1", "--user", "Alice@Example.com", "--from",
                                "a@example.com", "--to", "b@example.net"});
  EXPECT_EQ(out.substr(0, out.find('\n')), "decision  Reject");
  EXPECT_EQ(mail_from("127.0.0.1"),
            "decision  Accept\n"
            "note      client 127.0.0.1 is in 127.0.0.0/8 of milter.never_match_networks: address "
            "rules do not apply\n"
            "revision  2\n");
}

TEST_F(TestVerb, LocalMailIsDecidedAtTheEndAndNeverRejected) {
  add({"-n", "mail/user", "-t", "domain:example.com", "-a", "reject"});
  const std::string out = test({"--local", "--from", "a@example.com", "--to", "b@example.net"});
  EXPECT_NE(out.find("answer    Defer at end of message\n"), std::string::npos) << out;
  EXPECT_NE(out.find("reply     451 4.7.1 "), std::string::npos) << out;
}

TEST_F(TestVerb, SpeaksJson) {
  add({"-n", "mail/range", "-t", "203.0.113.0/24", "-a", "defer"});
  EXPECT_EQ(
      test({"--client", "192.0.2.1", "--from", "<>", "--to", "b@example.net", "-o", "json"}),
      R"j({"decision":"Accept","answers":[],"throttles":[],"observed":[],"notes":[],"revision":1})j"
      "\n");
  const std::string reply =
      "451 4.7.1 203.0.113.0/24: why (ipmit mail/range until 2026-11-25T13:00Z)";
  EXPECT_EQ(test({"--client", "203.0.113.9", "--from", "a@example.com", "--to", "b@example.net",
                  "-o", "json"}),
            R"j({"decision":"Defer","mitigation":"mail/range","reply":")j" + reply +
                R"j(","answers":[{"stage":"mail","action":"Defer","mitigation":"mail/range",)j" +
                R"j("matched":"203.0.113.0/24","reason":"why","reply":")j" + reply +
                R"j("}],"throttles":[],"observed":[],"notes":[],"revision":1})j" + "\n");
}

}  // namespace
}  // namespace ipmit::cli
