// SPDX-License-Identifier: Apache-2.0
#include "events/bounce_text.h"

#include <gtest/gtest.h>

#include "events/bounce_address.h"
#include "events/bounce_returned.h"
#include "events/bounce_text_report.h"

namespace ipmit::events {
namespace {

using policy::SmtpStage;

TEST(NormalizeDiagnostic, GivesOneFormToOneWording) {
  struct Row {
    const char *text, *words, *urls;
  };
  const Row rows[] = {
      {"", " ", ""},
      {"User  Unknown\r\n\t(here)", " user unknown (here) ", ""},
      {"550-5.1.1 The user 550-5.1.1 is not 550 5.1.1 here", " the user is not here ", ""},
      {"550 5.1.1 <Ann@Example.NET>: no", " <@>: no ", ""},
      {"see HTTPS://a.example/x?p=1 now", " see url now ", "https://a.example/x?p=1 "},
      {"user\xE2\x80\x99s box", " user's box ", ""},
      {"IP 192.0.2.155 port 587", " ip 192.0.2.155 port 587 ", ""},
      {"limit 550/600 reached", " limit 550/600 reached ", ""},
  };
  for (const Row& row : rows) {
    const NormalText got = normalize_diagnostic(row.text);
    EXPECT_EQ(got.words, row.words);
    EXPECT_EQ(got.urls, row.urls) << row.text;
  }
}

TEST(FindCodes, TakesThePairThatStandsTogether) {
  struct Row {
    const char *text, *reply, *status;
  };
  const Row rows[] = {
      {"550 5.1.1 unknown", "550", "5.1.1"},
      {"550-5.7.26 first line 550 5.7.26 second", "550", "5.7.26"},
      {"said: 421 4.7.650 busy", "421", "4.7.650"},
      {"552 sorry, over quota (#5.1.1)", "552", "5.1.1"},
      {"5.3.0 - Other mail system problem 550-'Unknown user'", "550", "5.3.0"},
      {"554 4.4.7 Message expired <421 4.4.2 Connection timed out>", "421", "4.4.2"},
      {"550 mx5.1.1.example refused", "550", ""},
      {"from 10.5.1.1: 550 no", "550", ""},
      {"Exim 4.92.3 at host", "", ""},
      {"1550 5501 550x", "", ""},
      {"connect to mx[192.0.2.1]:25: timed out", "", ""},
      {"220 mx.example ESMTP", "220", ""},
      {"250 2.1.5 Ok", "250", "2.1.5"},
      {"MAIL FROM:<a> 250 ok RCPT TO:<b> 550 no", "550", ""},
      {"MAIL 250 2.1.0 ok RCPT 550 no", "550", ""},
      {"MAIL 250 2.1.0 ok RCPT 550 5.1.1 no", "550", "5.1.1"},
      {"550 no QUIT 221 bye", "550", ""},
      {"5.1.1.1 is an address", "", ""},
      {"", "", ""},
  };
  for (const Row& row : rows) {
    const ReplyCodes got = find_codes(row.text);
    EXPECT_EQ(got.reply, row.reply) << row.text;
    EXPECT_EQ(got.status, row.status) << row.text;
  }
  EXPECT_EQ(parse_status("5.0.0 (undefined status)"), "5.0.0");
  EXPECT_EQ(parse_status("failed"), "");
}

TEST(FindStage, KnowsTheWordsOfMailServers) {
  EXPECT_EQ(find_stage("(in reply to RCPT TO command)"), SmtpStage::kRcpt);
  EXPECT_EQ(find_stage("(in reply to\n end of DATA command)"), SmtpStage::kData);
  EXPECT_EQ(find_stage("SMTP error after MAIL FROM:<a@b.example>"), SmtpStage::kMail);
  EXPECT_EQ(find_stage("mx refused to talk to me: 554 no"), SmtpStage::kConnect);
  EXPECT_EQ(find_stage("user unknown"), SmtpStage::kUnknown);
}

TEST(FindAddress, TakesWhatAnEyeTakes) {
  struct Row {
    const char *text, *address;
  };
  const Row rows[] = {
      {"to <ann@example.net>.", "ann@example.net"},
      {"ann@example.net, bob", "ann@example.net"},
      {"\"a b\"@example.net", "\"a b\"@example.net"},
      {"ann@[192.0.2.1]", "ann@[192.0.2.1]"},
      {"ann+tag=x%y@sub.example.net.", "ann+tag=x%y@sub.example.net"},
      {"@example.net", ""},
      {"ann@", ""},
      {"ann @ example", ""},
      {"", ""},
      {"@", ""},
      {"a@@b", ""},
  };
  for (const Row& row : rows) {
    const auto got = find_address(row.text);
    EXPECT_EQ(got ? got->address : "", row.address) << row.text;
  }
  EXPECT_EQ(address_alone("rfc822; <ann@example.net>"), "ann@example.net");
  EXPECT_EQ(address_alone("rfc822;|/bin/sort ann@example.net"), "");
  EXPECT_EQ(address_of("\"a@b.example\" <ann@example.net>"), "ann@example.net");
}

TEST(SplitReport, EndsWhereTheReturnedMessageBegins) {
  struct Row {
    const char *text, *report;
  };
  const Row rows[] = {
      {"no\n\n--- Original message follows.\n\nSubject: x\n", "no\n\n"},
      {"no\nReceived: from a by b\n", "no\n"},
      {"no\nA copy of your message:\n\nFrom: a@b.example\n", "no\n"},
      {"The original message was received at noon\nfrom host\n",
       "The original message was received at noon\nfrom host\n"},
      {"no\nA copy of your message is not attached.\nBye\n",
       "no\nA copy of your message is not attached.\nBye\n"},
      {"", ""},
  };
  for (const Row& row : rows) EXPECT_EQ(split_report(row.text).report, row.report);
  EXPECT_EQ(returned_headers("\n----\nSubject: a\n b\n\nbody").find("subject"), "a b");
  // The header of the part, where the multipart around it is broken.
  EXPECT_EQ(returned_headers("--b\nContent-Description: message\nContent-Type: message/rfc822\n"
                             "Content-Transfer-Encoding: 8bit\n\nSubject: a\n\nbody")
                .find("subject"),
            "a");
}

TEST(ReadTextReport, PrefersAddressesInTheShapeOfReports) {
  const auto read = [](const char* text) {
    std::string out;
    for (const TextRecipient& to : read_text_report(text)) {
      std::string reason = to.text;
      std::replace(reason.begin(), reason.end(), '\n', '|');
      out += to.address + "{" + reason + "}";
    }
    return out;
  };
  EXPECT_EQ(read("write to help@example.com for help\n<ann@example.net>: no such user\n"),
            "ann@example.net{: no such user|}");
  EXPECT_EQ(read("a@x.example\nb@x.example\nReason: full\n"),
            "a@x.example{Reason: full|}b@x.example{Reason: full|}");
  EXPECT_EQ(read("550 <a@x.example>... no\n<<< 552 full\n554 <b@x.example>... failed\n"),
            "a@x.example{550 <a@x.example>... no|}b@x.example{<<< 552 full|554 <b@x.example>... "
            "failed|}");
  EXPECT_EQ(read("Could not deliver your mail to <a@x.example>\nfull\n"),
            "a@x.example{Could not deliver your mail to <a@x.example>|full|}");
  EXPECT_EQ(read("To: x@y.example\nnot delivered to:\na@x.example\nfull\n"), "a@x.example{full|}");
  EXPECT_EQ(read("nothing here\n"), "");
}

}  // namespace
}  // namespace ipmit::events
