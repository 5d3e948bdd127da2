// SPDX-License-Identifier: Apache-2.0
// One delivery status notification about two recipients, as different systems write, fold, nest and
// damage it: both must come out, each with its class.
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "conf/bounce_rules.h"
#include "events/mail_report.h"
#include "tests/unit/events/mail_clothes.h"

namespace ipmit::events {
namespace {

const BounceRules& rules() {
  static const auto kRules = BounceRules::compile(
      *conf::parse_bounce_rules(conf::default_bounce_rules(), "built-in bounce rules"));
  return *kRules;
}

using Got = std::vector<std::pair<std::string, std::string>>;

const Got kBoth = {{"ann@example.net", "hard_user"}, {"bob@example.org", "soft"}};

Got read(const std::string& mail) {
  Got got;
  for (const MailResult& result : parse_mail(mail, rules()).results)
    got.emplace_back(result.recipient, policy::to_string(result.bounce_class));
  return got;
}

std::string head(const std::string& rest) {
  return "Return-Path: <>\nFrom: MAILER-DAEMON@mx.example.com\nTo: news@example.com\n"
         "Subject: Undelivered Mail Returned to Sender\nMIME-Version: 1.0\n" +
         rest;
}

constexpr const char* kHuman = "Content-Type: text/plain\n\nYour mail was not delivered.\n";
constexpr const char* kReturned =
    "Content-Type: message/rfc822\n\nFrom: news@example.com\nTo: ann@example.net\n"
    "Message-ID: <m1@example.com>\nSubject: News\n\nHello\n";
constexpr const char* kStatus =
    "Reporting-MTA: dns; mx.example.com\nArrival-Date: Mon, 23 Nov 2026 10:00:00 +0000\n\n"
    "Final-Recipient: rfc822; ann@example.net\nOriginal-Recipient: rfc822;ann@example.net\n"
    "Action: failed\nStatus: 5.1.1\nRemote-MTA: dns; mx.example.net\n"
    "Diagnostic-Code: smtp; 550 5.1.1 <ann@example.net>: Recipient address rejected: User unknown\n"
    "\nFinal-Recipient: rfc822; bob@example.org\nAction: failed\nStatus: 5.2.2\n"
    "Diagnostic-Code: smtp; 552 5.2.2 Mailbox full\n";

const std::string kReport = "multipart/report; report-type=delivery-status";
const std::string kDsn = "Content-Type: message/delivery-status";

std::string with_status(const std::string& status) {
  return head(multipart(kReport, "b1", {kHuman, part(kDsn, status), kReturned}));
}

std::string replaced(std::string text, const std::string& from, const std::string& to) {
  for (std::size_t at = 0; (at = text.find(from, at)) != std::string::npos; at += to.size())
    text.replace(at, from.size(), to);
  return text;
}

TEST(DsnForms, OfOneReportGiveTheSame) {
  const std::string plain = with_status(kStatus);
  const struct {
    const char* name;
    std::string mail;
  } rows[] = {
      {"as RFC 3464 has it", plain},
      {"CRLF", with_crlf(plain)},
      {"as a mbox entry", "From MAILER-DAEMON Mon Nov 23 10:00:00 2026\n" + plain},
      {"without the returned message",
       head(multipart(kReport, "b1", {kHuman, part(kDsn, kStatus)}))},
      {"without words for people", head(multipart(kReport, "b1", {part(kDsn, kStatus)}))},
      {"the headers of the message alone",
       head(multipart(kReport, "b1",
                      {kHuman, part(kDsn, kStatus),
                       "Content-Type: text/rfc822-headers\n\nFrom: news@example.com\n"}))},
      {"status last", head(multipart(kReport, "b1", {kHuman, kReturned, part(kDsn, kStatus)}))},
      {"multipart/mixed", replaced(plain, kReport, "multipart/mixed")},
      {"no quotes around the boundary", replaced(plain, "boundary=\"b1\"", "boundary=b1")},
      {"a folded boundary", replaced(plain, "; boundary", ";\n\tboundary")},
      {"international",
       replaced(plain, "message/delivery-status", "message/global-delivery-status")},
      {"status in base64",
       head(multipart(kReport, "b1",
                      {kHuman, part(kDsn + "\nContent-Transfer-Encoding: base64", base64(kStatus)),
                       kReturned}))},
      {"status in quoted-printable",
       head(multipart(
           kReport, "b1",
           {kHuman,
            part(kDsn + "\nContent-Transfer-Encoding: quoted-printable", quoted_printable(kStatus)),
            kReturned}))},
      {"nested", head(multipart("multipart/mixed", "b0",
                                {multipart(kReport, "b1", {kHuman, part(kDsn, kStatus), kReturned}),
                                 "Content-Type: text/plain\n\nThis mail was scanned.\n"}))},
      {"forwarded as an attachment of its own",
       head(multipart(kReport, "b1",
                      {kHuman, part(kDsn + "; name=\"status.dat\"\nContent-Disposition: attachment",
                                    kStatus)}))},
      {"folded diagnostics",
       with_status(replaced(kStatus, "Recipient address", "\n    Recipient\n\taddress"))},
      {"lower-case fields and types",
       with_status(
           replaced(replaced(kStatus, "Final-Recipient: rfc822; ", "final-recipient: RFC822;"),
                    "Action: failed", "action: Failed"))},
      {"angle brackets",
       with_status(
           replaced(replaced(kStatus, "rfc822; ann@example.net", "rfc822; <ann@example.net>"),
                    "rfc822; bob@example.org", "rfc822; <bob@example.org>"))},
      {"no address type",
       with_status(replaced(kStatus, "Final-Recipient: rfc822; ", "Final-Recipient: "))},
      {"comments", with_status(replaced(replaced(kStatus, "Status: 5.1.1",
                                                 "Status: 5.1.1 (bad destination mailbox address)"),
                                        "Action: failed", "Action: failed (permanent)"))},
      {"no status fields",
       with_status(replaced(replaced(kStatus, "Status: 5.1.1\n", ""), "Status: 5.2.2\n", ""))},
      {"an empty line too many", with_status(replaced(kStatus, "\n\nFinal", "\n\n\nFinal"))},
      {"a closing boundary that never comes", plain.substr(0, plain.find("--b1--"))},
      {"a line of dashes in the words for people",
       head(multipart(kReport, "b1",
                      {"Content-Type: text/plain\n\n-------server message\nReason: below\n",
                       part(kDsn, kStatus), kReturned}))},
      {"another kind of diagnostic", with_status(replaced(kStatus, "smtp; ", "X-Postfix; "))},
  };
  for (const auto& row : rows) EXPECT_EQ(read(row.mail), kBoth) << row.name;
}

// "-- " and lines of dashes are no boundaries: what stands below them is text, not a header.
TEST(DsnForms, DashesInATextAreNoBoundary) {
  const std::string text =
      "Content-Type: text/plain\n\nCould not be delivered.\n\n-------server message\n"
      "Error: <ann@example.net> 550 5.1.1 User unknown\n\n--b1x\nReason: none\n";
  for (const char* boundary :
       {"boundary=\"b1\"", "boundary=b1;\n charset=utf-8", "BOUNDARY=\"b1\""})
    EXPECT_EQ(read(head(replaced(multipart("multipart/mixed", "b1", {text, kReturned}),
                                 "boundary=\"b1\"", boundary))),
              Got({kBoth[0]}))
        << boundary;
}

}  // namespace
}  // namespace ipmit::events
