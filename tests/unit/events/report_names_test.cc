// SPDX-License-Identifier: Apache-2.0
// Whom a report is about, where it names more than one address, none in full, or hides him; and
// what only looks like a report.
#include <string>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "conf/bounce_rules.h"
#include "events/bounce_footer.h"
#include "events/mail_report.h"
#include "tests/unit/events/mail_clothes.h"

namespace ipmit::events {
namespace {

using Got = std::vector<std::pair<std::string, std::string>>;

const BounceRules& rules() {
  static const auto kRules = BounceRules::compile(
      *conf::parse_bounce_rules(conf::default_bounce_rules(), "built-in bounce rules"));
  return *kRules;
}

Got read(const std::string& mail) {
  Got got;
  for (const MailResult& result : parse_mail(mail, rules()).results)
    got.emplace_back(result.recipient, policy::to_string(result.bounce_class));
  return got;
}

std::string head(const std::string& subject = "Undelivered mail",
                 const std::string& from = "postmaster@mx.example.com") {
  return "From: " + from + "\nTo: news@example.com\nSubject: " + subject + "\nMIME-Version: 1.0\n";
}

TEST(ReportNames, TheRecipientAmongOtherAddresses) {
  const struct {
    const char* name;
    std::string mail;
    Got want;
  } rows[] = {
      {"Exim hides where an alias leads",
       head() + "\nThe following address(es) failed:\n\n  an undisclosed address\n"
                "    (generated from ann@example.net)\n    mailbox is full\n",
       {{"ann@example.net", "soft"}}},
      {"Exim names where an alias leads",
       head() + "\nThe following address(es) failed:\n\n  ann@example.net\n"
                "    (generated from list@example.org)\n    mailbox is full\n",
       {{"ann@example.net", "soft"}}},
      {"Sendmail names what an alias was",
       head() + "\n   ----- The following addresses had permanent fatal errors -----\n"
                "ann@store.example.org\n    (reason: 550 5.1.1 User unknown)\n"
                "    (expanded from: <ann@example.net>)\n\n"
                "   ----- Transcript of session follows -----\n... while talking to mx.example:\n"
                ">>> RCPT To:<ann@store.example.org>\n<<< 550 5.1.1 User unknown\n"
                "550 5.1.1 ann@store.example.org... User unknown\n",
       {{"ann@example.net", "hard_user"}}},
      {"Sendmail, an alias to a program",
       head() + "\n   ----- The following addresses had permanent fatal errors -----\n"
                "\"|/usr/local/bin/sort\"\n    (reason: Can't create output)\n"
                "    (expanded from: <ann@example.net>)\n",
       {{"ann@example.net", "soft"}}},
      {"LISTSERV",
       head() +
           "\nA list of the recipients:\n\n--> Error description:\nError-for:  ann@example.net\n"
           "Error-Code: 3\nError-Text: Mailbox full\n\nError-for:  bob@example.org\n"
           "Error-Code: 3\nError-Text: No such user\n            550 5.1.1 unknown\n\n"
           "Error-End:  2 errors reported.\n",
       {{"ann@example.net", "soft"}, {"bob@example.org", "hard_user"}}},
      {"a local name, and what was written",
       head("Delivery failure") + "\nThere were delivery problems to local user ann.\n"
                                  "(Originally addressed to ann@example.net)\n\nMailbox full\n",
       {{"ann@example.net", "soft"}}},
      {"not fetched by its recipient",
       head() + "\nYour message could not be delivered. The mail, addressed to\n"
                "'ann@example.net', was kept. Mail addressed to 'ann@example.net',\n"
                "failed because it has not been collected.\n",
       {{"ann@example.net", "soft"}}},
      {"MDaemon",
       head("Warning: ann@example.net - User unknown!", "MDaemon@mx.example.com") +
           "\nann@example.net - no such user here.\n\nThere is no user by that name at this "
           "server.\n",
       {{"ann@example.net", "hard_user"}}},
      {"two languages",
       head("News : non remis (delivery failed)", "gate@mx.example.com") +
           "\n****\nVotre message n'a pas pu etre delivre a\nann@example.net\n\n****\nYour message "
           "could not be delivered to\nann@example.net\n****\n",
       {{"ann@example.net", "unclear"}}},
      {"an X.400 address",
       head() +
           "\nYour message\n\n  To:      list@example.org\n  Subject: News\n\ndid not reach the "
           "following recipient(s):\n\nc=US;a= ;p=Example;o=Site;dda:SMTP=ann@example.net; on "
           "Mon, 23 Nov 2026 10:00:00 +0000\n    The recipient name is not recognized\n",
       {{"ann@example.net", "hard_user"}}},
      {"an X.400 address without its sign",
       head() + "\nYour message did not reach the following recipient(s):\n\n"
                "c=US;a= ;p=Example;dda:SMTP=ann(a)example.net; on Mon, 23 Nov 2026\n"
                "    The recipient name is not recognized\n",
       {{"ann@example.net", "hard_user"}}},
      {"in square brackets, the message described below",
       head() +
           "\nDelivery has failed to these recipients:\n\nServer \"192.0.2.5:25\" returned an "
           "error:\n\n\t* [ann@example.net]: 550 ann@example.net... account is over quota\n\n"
           "Original message details:\n\n\t* From: news@example.com\n\t* To: list@example.org\n",
       {{"ann@example.net", "soft"}}},
      {"names without a domain",
       head("Mail Delivery Problem", "MAILER-DAEMON@example.net") +
           "\nSorry news@example.com. Your mail to the following recipients could not be delivered "
           "because their mailbox is full:\n\tann\n\tbob2\n",
       {{"ann@example.net", "soft"}, {"bob2@example.net", "soft"}}},
      {"a name without a domain, known from the message",
       head("Mail Delivery Problem", "MAILER-DAEMON@mx.example.com") +
           multipart("multipart/mixed", "b1",
                     {part("Content-Type: text/plain",
                           "Message not delivered to the following:\n\n ann    mailbox full\n\n"
                           "Try writing to help@example.com if that fails.\n"),
                      part("Content-Type: message/rfc822", "To: ann@example.net\n\nHello\n")}),
       {{"ann@example.net", "soft"}}},
      {"said by the null sender",
       "Return-Path: <>\nFrom: <>\nTo: news@example.com\n\nYou sent mail to ann@example.net. That "
       "is not a valid user here.\n",
       {{"ann@example.net", "unclear"}}},
  };
  for (const auto& row : rows) {
    EXPECT_EQ(read(row.mail), row.want) << row.name;
    EXPECT_EQ(read(with_crlf(row.mail)), row.want) << row.name << ", CRLF";
  }
}

TEST(ReportNames, TheFormsOfMoreSystems) {
  const std::string utf8 = "Content-Type: text/plain; charset=utf-8\n\n";
  const std::string fml = "X-MLServer: fml [fml 4.0.3]\n";
  const struct {
    const char* name;
    std::string mail;
    Got want;
  } rows[] = {
      {"Post.Office",
       head("Mail System Error - Returned Mail") +
           "\nThis message was undeliverable.\n\nThe following destination addresses were unknown "
           "(please check them):\n\nSMTP <ann@example.net>\n\nPlease reply to "
           "postmaster@mx.example.com\n",
       {{"ann@example.net", "hard_user"}}},
      {"InterMail, no such host",
       head("Mail System Error - Returned Mail") +
           "\nYour message was not delivered because the destination computer was\nnot found.\n\n"
           "The following recipients did not receive it:\n\n   <ann@example.net>\n",
       {{"ann@example.net", "hard_domain"}}},
      {"XMail",
       head("Error sending message [1]", "XMail <postmaster@mx.example.com>") +
           "\n[00] XMail bounce: Rcpt=[ann@example.net];Error=[550 5.1.1 unknown]\n\nMail From: "
           "<news@example.com>\nRcpt To:   <ann@example.net>\nServer:    <mx.example.net>\n\nThe "
           "reason of the delivery failure was:\n\n550 5.1.1 User unknown\n\n[05] Here is listed "
           "the initial part of the message:\n\nFrom: news@example.com\nTo: list@example.org\n",
       {{"ann@example.net", "hard_user"}}},
      {"GroupWise",
       head("Message status - undeliverable", "Mailer-Daemon@mx.example.net") +
           "\nThe message was undeliverable to the following:\n\n\tann@example.net (user not "
           "found)\n",
       {{"ann@example.net", "hard_user"}}},
      {"GroupWise, a name of its own",
       head("Message status - undeliverable", "Mailer-Daemon@mx.example.net") +
           "\nThe message was undeliverable to the following:\n\n\tann.sales (mailbox full)\n",
       {{"ann.sales@mx.example.net", "soft"}}},
      {"FirstClass",
       head("NDN: News") + "\nSorry. Your message could not be delivered to:\n\n"
                           "ann@example.net,site (Mailbox is full.)\n",
       {{"ann@example.net", "soft"}}},
      {"nobody named, the message below",
       head("Message not deliverable") +
           "\nYour message was not delivered.\n\n  Mailbox full\n\nReceived: from a by b\nFrom: "
           "news@example.com\nTo: Ann <ann@example.net>\n\nHello\n",
       {{"ann@example.net", "soft"}}},
      {"Gmail, blocked",
       head("Delivery Status Notification (Failure)", "mailer-daemon@mx.example.com") +
           "\n** Message blocked **\n\nYour message to ann@example.net has been blocked.\n\nThe "
           "response was:\n554 5.7.1 Client host [192.0.2.1] blocked using list.example\n",
       {{"ann@example.net", "reputation"}}},
      {"Sendmail, the reason and more below it",
       head("Returned mail: see transcript for details") +
           "\n   ----- The following addresses had permanent fatal errors -----\n"
           "<ann@example.net>\n    (reason: 550 5.4.1 Recipient address rejected: Access "
           "denied)\n\n"
           "   ----- Transcript of session follows -----\n>>> DATA\n"
           "550 5.1.1 <ann@example.net>... User unknown\n",
       {{"ann@example.net", "hard_user"}}},
      {"Exchange in German",
       head("Nicht zustellbar: News") + utf8 +
           "Ihre Nachricht hat einige Empfänger nicht erreicht.\n\n      ann@example.net am "
           "23.11.2026 10:00\n            Es gibt kein solches Konto.\n            <mx.example.com "
           "#5.1.1>\n",
       {{"ann@example.net", "hard_user"}}},
      {"Exchange in French",
       head("Non remis : News") + utf8 +
           "Votre message n'est pas parvenu à ses destinataires.\n\n      ann@example.net sur "
           "23/11/2026 10:00\n            La boîte est pleine.\n            <mx.example.com "
           "#5.2.2>\n",
       {{"ann@example.net", "soft"}}},
      {"Domino in German",
       head("ZUSTELLFEHLER: News") + utf8 +
           "Ihr Dokument konnte nicht zugestellt werden an:\n\nann@example.net\n\nGrund:\n\nann "
           "nicht "
           "im Domino-Verzeichnis enthalten\n",
       {{"ann@example.net", "hard_user"}}},
      {"Chinese",
       head("系统退信") + utf8 +
           "无法发送到 "
           "ann@example.net\n收件人邮件地址（ann@example.net）不存在，邮件无法送达。\nhost "
           "mx.example.net said: 550 5.1.1 User unknown\n",
       {{"ann@example.net", "hard_user"}}},
      {"Korean",
       head("[메일 발송 실패 안내] News") + utf8 +
           "메일이 발송되지 못했습니다.\n\n받는 사람 : ann@example.net\n\n550 5.1.1 No such user\n",
       {{"ann@example.net", "hard_user"}}},
      {"Japanese, a wide colon",
       head("配信不能") + utf8 +
           "メールは届きませんでした。\n\n宛先：ann@example.net\n\n552 5.2.2 Mailbox full\n",
       {{"ann@example.net", "soft"}}},
      {"fml refuses",
       fml + head("You news@example.com are not member (list ML)", "list-admin@example.net") +
           "\nYou are not a member of this mailing list.\n",
       {{"list@example.net", "reputation"}}},
      {"fml refuses, its text in another language",
       fml + head("You news@example.com are not member (list ML)", "list-admin@example.net") +
           "\nToukou dekimasen.\n",
       {{"list@example.net", "reputation"}}},
      {"fml distributes",
       fml + "X-Mail-Count: 00012\n" + head("[list:00012] Rules", "list-admin@example.net") +
           "\nWho is not a member cannot post.\n",
       {}},
      {"fml helps",
       fml + head("Guide (list ML)", "list-admin@example.net") + "\nHow to use this list.\n",
       {}},
      {"a mailbox that answers by itself",
       "Return-Path: <>\nAuto-Submitted: auto-replied\n" + head("Away", "Ann <ann@example.net>") +
           "\nI could not be reached, your mail was not delivered to bob@example.org.\n",
       {{"ann@example.net", "auto"}}},
      {"another list server",
       head("You news@example.com are not member", "list-admin@example.net") + "\nSorry.\n",
       {}},
  };
  for (const auto& row : rows) {
    EXPECT_EQ(read(row.mail), row.want) << row.name;
    EXPECT_EQ(read(with_crlf(row.mail)), row.want) << row.name << ", CRLF";
  }
}

TEST(ReportNames, ReturnedMessageMayBeQuoted) {
  for (const std::string quote : {"", ">", "> ", "    ", "| "}) {
    std::string message;
    for (const char* line : {"Return-Path: <news@example.com>", "From: News <news@example.com>",
                             "Message-ID: <m1@example.com>", "Subject: News", "", "Hello"})
      message += quote + line + "\n";
    const MailReport report = parse_mail(head() +
                                             "\nThe message was not delivered to:\n\n"
                                             "ann@example.net\n\n"
                                             "Original message as received is as follows:\n"
                                             "=====\n" +
                                             message,
                                         rules());
    ASSERT_EQ(report.results.size(), 1u) << quote;
    EXPECT_EQ(report.results[0].message_id, "m1@example.com") << quote;
    EXPECT_EQ(report.results[0].recipient, "ann@example.net") << quote;
  }
}

std::string dsn(const std::string& text, const std::string& status) {
  return multipart("multipart/report; report-type=delivery-status", "r1",
                   {part("Content-Type: text/plain", text),
                    part("Content-Type: message/delivery-status", status),
                    part("Content-Type: message/rfc822",
                         "From: news@example.com\n"
                         "To: list@example.org\n\nHello\n")});
}

TEST(ReportNames, OfFieldsThatAreOdd) {
  const std::string mta = "Reporting-MTA: dns; mx.example.com\n";
  const struct {
    const char* name;
    std::string status;
    Got want;
  } rows[] = {
      {"a domain that is none",
       mta + "\nFinal-Recipient: RFC822; ann@#example.net\nAction: failed\nStatus: 5.1.2\n"
             "Diagnostic-Code: SMTP; 550 Host unknown\n",
       {{"ann@#example.net", "hard_domain"}}},
      {"a name of the reporting system",
       mta + "\nOriginal-Recipient: rfc822;ann@example.net\nFinal-Recipient: rfc822;ann@store1\n"
             "Action: failed\nStatus: 5.2.2\n",
       {{"ann@example.net", "soft"}}},
      {"an alias, kept as the report has it",
       mta + "\nOriginal-Recipient: rfc822;ann@example.net\n"
             "Final-Recipient: rfc822;ann@store.example.org\nAction: failed\nStatus: 5.2.2\n",
       {{"ann@store.example.org", "soft"}}},
      {"a pipe is no address",
       mta + "\nFinal-Recipient: rfc822;|/bin/sort@#1\nAction: failed\nStatus: 5.2.2\n",
       {{"list@example.org", "soft"}}},
      {"a field of the recipient among those of the message",
       mta + "Action: failed\nArrival-Date: Mon, 23 Nov 2026 10:00:00 +0000\n\n"
             "Final-Recipient: rfc822; ann@example.net\nStatus: 5.2.2\n"
             "Diagnostic-Code: smtp; 552 5.2.2 Mailbox full\n",
       {{"ann@example.net", "soft"}}},
      {"the code in a group of its own",
       mta + "\nFinal-Recipient: rfc822; ann@example.net\nAction: failed\n\nStatus: 5.1.1\n"
             "Diagnostic-Code: smtp; 550 5.1.1 User unknown\n",
       {{"ann@example.net", "hard_user"}}},
  };
  for (const auto& row : rows)
    EXPECT_EQ(read(head() + dsn("Your mail was not delivered.\n", row.status)), row.want)
        << row.name;
}

TEST(ReportNames, AScannerOnTheWaySaysNothingOfTheReason) {
  const std::string status =
      "Reporting-MTA: dns; mx.example.com\n\nFinal-Recipient: rfc822;ann@example.net\n"
      "Action: failed\nStatus: 5.1.1\n";
  const std::string footer =
      "\n__________________________\n** This mail has been scanned for viruses and\nother malware "
      "by Example **\n";
  EXPECT_EQ(read(head() + dsn("Delivery to the following recipients failed.\n\n"
                              "     ann@example.net\n" +
                                  footer,
                              status)),
            (Got{{"ann@example.net", "hard_user"}}));
  EXPECT_EQ(without_scanner_footers("failed: ann\n" + footer + "\nBye\n"), "failed: ann\n\nBye\n");
  const std::string find = "It was scanned for viruses\nand one was found.\n\nBye\n";
  EXPECT_EQ(without_scanner_footers(find), find);
  const std::string reply = "550 it was scanned for viruses\n";
  EXPECT_EQ(without_scanner_footers(reply), reply);
  EXPECT_EQ(without_scanner_footers(""), "");
}

std::string receipt(const std::string& text, const std::string& disposition) {
  return head("About your mail", "Ann <ann@example.net>") +
         multipart("multipart/report; report-type=disposition-notification", "r1",
                   {part("Content-Type: text/plain", text),
                    part("Content-Type: message/disposition-notification",
                         "Reporting-UA: mx.example.net; Filter\nFinal-Recipient: rfc822; "
                         "ann@example.net\nOriginal-Message-ID: <m1@example.com>\nDisposition: " +
                             disposition + "\n")});
}

TEST(ReportNames, OnlyARefusalAmongReceiptsIsABounce) {
  const std::string refusal =
      receipt("Your message to <ann@example.net> was automatically rejected:\nQuota exceeded\n",
              "automatic-action/MDN-sent-automatically; deleted");
  EXPECT_EQ(read(refusal), (Got{{"ann@example.net", "soft"}}));
  EXPECT_EQ(parse_mail(refusal, rules()).results.at(0).message_id, "m1@example.com");
  EXPECT_EQ(read(receipt("The message was automatically rejected by a filter.\n\nThe following "
                         "reason was given:\nI do not want this.\n",
                         "automatic-action/MDN-sent-automatically; deleted")),
            (Got{{"ann@example.net", "unclear"}}));
  EXPECT_EQ(read(receipt("Your message was read. It was not rejected.\n",
                         "manual-action/MDN-sent-manually; displayed")),
            Got());
  EXPECT_EQ(read(receipt("Your message was read. It was not rejected.\n",
                         "automatic-action/MDN-sent-automatically; displayed")),
            Got());
  EXPECT_EQ(read(receipt("Your message was deleted without being read; user unknown.\n",
                         "manual-action/MDN-sent-automatically; deleted")),
            Got());
}

TEST(ReportNames, AReportThatAGatewayWrappedIsRead) {
  const std::string report =
      head() + dsn("Your mail was not delivered.\n",
                   "Reporting-MTA: dns; mx.example.com\n\nFinal-Recipient: rfc822;ann@example.net\n"
                   "Action: failed\nStatus: 5.2.2\n");
  const auto wrapped = [&](const std::string& from, const std::vector<std::string>& above,
                           const std::string& inner) {
    std::vector<std::string> parts = above;
    parts.push_back(part("Content-Type: message/rfc822", inner));
    parts.push_back(part("Content-Type: text/plain", "This mail is confidential.\n"));
    return head("News", from) + multipart("multipart/mixed", "b1", parts);
  };
  const Got full = {{"ann@example.net", "soft"}};
  EXPECT_EQ(read(wrapped("postmaster@mx.example.com", {}, report)), full);
  const std::string hello = part("Content-Type: text/plain", "Look at this.\n");
  EXPECT_EQ(read(wrapped("postmaster@mx.example.com", {hello}, report)), Got());
  EXPECT_EQ(read(wrapped("Bob <bob@example.org>", {}, report)), Got());
  EXPECT_EQ(read(wrapped("postmaster@mx.example.com", {},
                         "From: bob@example.org\nSubject: Lunch\n\nToday?\n")),
            Got());
  // One level, not more.
  EXPECT_EQ(read(wrapped("postmaster@mx.example.com", {},
                         wrapped("postmaster@mx.example.com", {}, report))),
            Got());
}

}  // namespace
}  // namespace ipmit::events
