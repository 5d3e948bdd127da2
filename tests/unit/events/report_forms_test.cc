// SPDX-License-Identifier: Apache-2.0
// Reports that mail systems write for people, in the forms of many of them, and each in the clothes
// that mail travels in: recipients and class must come out whatever the clothes. Long
// because it is a table.
#include <algorithm>
#include <functional>
#include <string>
#include <vector>

#include <gmock/gmock.h>
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

constexpr const char* kSystem = "Mail Delivery Subsystem <MAILER-DAEMON@mx.example.com>";
constexpr const char* kPostmaster = "postmaster@mx.example.com";

// A report about ann@example.net (and others, as `want` says) on a message of news@example.com.
struct Form {
  const char* name;
  const char* from;
  const char* subject;
  const char* body;
  std::vector<std::pair<std::string, std::string>> want;  // recipient, class
};

std::vector<Form> forms() {
  const std::string ann = "ann@example.net";
  return {
      {"qmail",
       kSystem,
       "failure notice",
       "Hi. This is the qmail-send program at mx.example.com.\nI'm afraid I wasn't able to deliver "
       "your message to the following addresses.\nThis is a permanent error; I've given up. Sorry "
       "it didn't work out.\n\n<ann@example.net>:\n192.0.2.5 does not like recipient.\nRemote host "
       "said: 550 5.1.1 <ann@example.net>: Recipient address rejected: User unknown\nGiving up on "
       "192.0.2.5.\n\n<bob@example.org>:\nSorry, I couldn't find any host named example.org. "
       "(#5.1.2)\n\n",
       {{ann, "hard_user"}, {"bob@example.org", "hard_domain"}}},
      {"qmail, too long in the queue",
       kSystem,
       "failure notice",
       "Hi. This is the qmail-send program at mx.example.com.\nI'm afraid I wasn't able to deliver "
       "your message to the following addresses.\nThis is a permanent error; I've given up. Sorry "
       "it didn't work out.\n\n<ann@example.net>:\nSorry, I wasn't able to establish an SMTP "
       "connection. (#4.4.1)\nI'm not going to try again; this message has been in the queue too "
       "long.\n\n",
       {{ann, "soft"}}},
      {"Yahoo",
       "MAILER-DAEMON@yahoo.example",
       "Failure Notice",
       "Sorry, we were unable to deliver your message to the following address.\n\n"
       "<ann@example.net>:\nRemote host said: 552 5.2.2 <ann@example.net>: Over quota "
       "[RCPT_TO]\n\n",
       {{ann, "soft"}}},
      {"Exim",
       kSystem,
       "Mail delivery failed: returning message to sender",
       "This message was created automatically by mail delivery software.\n\nA message that you "
       "sent could not be delivered to one or more of its\nrecipients. This is a permanent error. "
       "The following address(es) failed:\n\n  ann@example.net\n    SMTP error from remote mail "
       "server after RCPT TO:<ann@example.net>:\n    host mx.example.net [192.0.2.5]: 550 5.1.1 "
       "<ann@example.net>: user unknown\n  bob@example.org\n    Unrouteable address\n\n",
       {{ann, "hard_user"}, {"bob@example.org", "hard_domain"}}},
      {"Exim, an alias",
       kSystem,
       "Mail delivery failed: returning message to sender",
       "This message was created automatically by mail delivery software.\n\nA message that you "
       "sent could not be delivered to one or more of its\nrecipients. This is a permanent error. "
       "The following address(es) failed:\n\n  ann@example.net\n    (generated from "
       "list@example.org)\n    mailbox is full: retry timeout exceeded\n\n",
       {{ann, "soft"}}},
      {"Exim, a delay",
       kSystem,
       "Warning: message 1aB2cD-000001-XY delayed 24 hours",
       "This message was created automatically by mail delivery software.\nA message that you sent "
       "has not yet been delivered to one or more of its\nrecipients after more than 24 hours on "
       "the queue on mx.example.com.\n\nThe address to which the message has not yet been "
       "delivered is:\n\n  ann@example.net\n    Delay reason: Connection timed out\n\nNo action is "
       "required on your part. Delivery attempts will continue for\nsome time.\n\n",
       {{ann, "soft"}}},
      {"1&1",
       kSystem,
       "Mail delivery failed: returning message to sender",
       "This message was created automatically by mail delivery software.\n\nA message that you "
       "sent could not be delivered to one or more of\nits recipients. This is a permanent error. "
       "The following address\nfailed:\n\nann@example.net:\nMail size limit exceeded. For "
       "explanation visit\nhttp://postmaster.example.com/error-messages?id=1\n\n",
       {{ann, "soft"}}},
      {"GMX",
       kSystem,
       "Mail delivery failed: returning message to sender",
       "This message was created automatically by mail delivery software.\n\nA message that you "
       "sent could not be delivered to one or more of\nits recipients. This is a permanent error. "
       "The following address\nfailed:\n\n\"ann@example.net\":\nSMTP error from remote server "
       "after RCPT command:\nhost: mx.example.net\n5.1.1 <ann@example.net>... User Unknown\n\n",
       {{ann, "hard_user"}}},
      {"sendmail 8 without a DSN",
       kSystem,
       "Returned mail: see transcript for details",
       "The original message was received at Mon, 23 Nov 2026 10:00:00 GMT\nfrom localhost "
       "[127.0.0.1]\n\n   ----- The following addresses had permanent fatal errors -----\n"
       "<ann@example.net>\n    (reason: 550 5.1.1 <ann@example.net>... User unknown)\n\n   ----- "
       "Transcript of session follows -----\n... while talking to mx.example.net.:\n>>> DATA\n<<< "
       "550 5.1.1 <ann@example.net>... User unknown\n550 5.1.1 <ann@example.net>... User "
       "unknown\n\n",
       {{ann, "hard_user"}}},
      {"sendmail 5",
       kSystem,
       "Returned mail: Host unknown",
       "   ----- Transcript of session follows -----\n550 <ann@example.net>... Host unknown\n554 "
       "<ann@example.net>... Host example.net not found\n\n   ----- Unsent message follows "
       "-----\n",
       {{ann, "hard_domain"}}},
      {"Courier",
       kSystem,
       "NOTICE: mail delivery status.",
       "This is a delivery status notification from mx.example.com,\nrunning the Courier mail "
       "server.\n\nUNDELIVERABLE MAIL\n\nYour message to the following recipients cannot be "
       "delivered:\n\n<ann@example.net>:\n    mx.example.net [192.0.2.5]:\n>>> RCPT "
       "TO:<ann@example.net>\n<<< 550 5.1.1 <ann@example.net>... User Unknown\n\n",
       {{ann, "hard_user"}}},
      {"OpenSMTPD",
       kSystem,
       "Delivery status notification: error",
       "    Hi!\n\n    This is the MAILER-DAEMON, please DO NOT REPLY to this email.\n\n    An "
       "error has occurred while attempting to deliver a message for\n    the following list of "
       "recipients:\n\nann@example.net: 550 5.2.2 <ann@example.net>... Mailbox "
       "Full\nbob@example.org"
       ": 550 5.1.1 <bob@example.org>... User unknown\n\n    Below is a copy of the original "
       "message:\n\n",
       {{ann, "soft"}, {"bob@example.org", "hard_user"}}},
      {"Apache James",
       kPostmaster,
       "[BOUNCE] News",
       "Hi. This is the James mail server at mx.example.com.\nI'm afraid I wasn't able to deliver "
       "your message to the following addresses.\nThis is a permanent error; I've given up. Sorry "
       "it didn't work out.  Below\nI include the list of recipients and the reason why I was "
       "unable to deliver\nyour message.\n\nMessage details:\n  Subject: News\n  Sent date: Mon "
       "Nov "
       "23 10:00:00 UTC 2026\n  MAIL FROM: news@example.com\n  RCPT TO: ann@example.net\n  From: "
       "<news@example.com>\n  To: ann@example.net\n  Size (in bytes): 1024\n  Number of lines: "
       "64\n\nError message below:\n550 5.1.1 Requested action not taken: no such user here\n\n",
       {{ann, "hard_user"}}},
      {"Apache James, without a status",
       kPostmaster,
       "[BOUNCE] News",
       "Hi. This is the James mail server at mx.example.com.\nI'm afraid I wasn't able to deliver "
       "your message to the following addresses.\n\nMessage details:\n  Subject: News\n  MAIL "
       "FROM: "
       "news@example.com\n  RCPT TO: ann@example.net\n  Size (in bytes): 1024\n\nError message "
       "below:\n550 - Requested action not taken: no such user here\n\n",
       {{ann, "hard_user"}}},
      {"CommuniGate",
       kPostmaster,
       "Undeliverable mail: News",
       "Failed to deliver to '<ann@example.net>'\nSMTP module(domain example.net) reports:\n host "
       "mx.example.net says:\n 550 5.1.1 user unknown\n\n",
       {{ann, "hard_user"}}},
      {"AOL of old",
       kPostmaster,
       "Mail Delivery Problem",
       "Your mail is not being delivered to certain users for one of the\nfollowing "
       "reasons:\n\nThe "
       "following users are not known: ann@example.net 5.1.1\n\n",
       {{ann, "hard_user"}}},
      {"MDaemon",
       kPostmaster,
       "Permanent Delivery Failure",
       "The attached message had PERMANENT fatal delivery errors!\n\nFailed address: "
       "ann@example.net\n\n--- Session Transcript ---\n Mon 2026-11-23 10:00:00: --> MAIL "
       "From:<news@example.com>\n Mon 2026-11-23 10:00:00: <-- 250 ok\n Mon 2026-11-23 10:00:00: "
       "--> "
       "RCPT To:<ann@example.net>\n Mon 2026-11-23 10:00:00: <-- 550 <ann@example.net>, Recipient "
       "unknown\n--- End Transcript ---\n\n",
       {{ann, "hard_user"}}},
      {"hMailServer",
       kPostmaster,
       "Message undeliverable: News",
       "Your message did not reach some or all of the intended recipients.\n\n   Sent: Mon, 23 Nov "
       "2026 10:00:00 +0000\n   Subject: News\n\nThe following recipient(s) could not be "
       "reached:\n\nann@example.net\n   Error Type: SMTP\n   Remote server (192.0.2.5) issued an "
       "error.\n   hMailServer sent: RCPT TO:<ann@example.net>\n   Remote server replied: 550 "
       "<ann@example.net>: Recipient address rejected: User unknown\n\nhMailServer\n\n",
       {{ann, "hard_user"}}},
      {"Exchange 2000",
       "System Administrator <postmaster@mx.example.com>",
       "Undeliverable: News",
       "Your message\n\n  To:      ann@example.net\n  Subject: News\n  Sent:    Mon, 23 Nov 2026 "
       "10:00:00 +0000\n\ndid not reach the following recipient(s):\n\nann@example.net on Mon, 23 "
       "Nov 2026 10:00:01 +0000\n    The e-mail account does not exist at the organization this "
       "message was sent to.  Check the e-mail address, or contact the recipient directly to find "
       "out the correct address.\n    <mx.example.net #5.1.1>\n\n",
       {{ann, "hard_user"}}},
      {"Exchange 5.5",
       "System Administrator <postmaster@mx.example.com>",
       "Undeliverable: News",
       "Your message\n\n  To:      ann@example.net\n  Subject: News\n  Sent:    Mon, 23 Nov 2026 "
       "10:00:00 +0000\n\ndid not reach the following recipient(s):\n\nann@example.net on Mon, 23 "
       "Nov 2026 10:00:01 +0000\n    The recipient name is not recognized\n\tThe MTS-ID of the "
       "original message is: c=us;a= ;p=example;l=MX-261123\n    MSEXCH:IMS:Example:SITE:MX 0 "
       "(000C05A6) Unknown Recipient\n\n",
       {{ann, "hard_user"}}},
      {"Domino",
       kPostmaster,
       "DELIVERY FAILURE: User ann not listed in Domino Directory",
       "Your message\n\n  Subject: News\n\nwas not delivered to:\n\n  "
       "ann@example.net\n\nbecause:\n\n"
       "  User ann (ann@example.net) not listed in Domino Directory\n\n",
       {{ann, "hard_user"}}},
      {"Notes",
       kPostmaster,
       "DELIVERY FAILURE",
       "------- Failure Reasons  --------\n\nUser not listed in public Name & Address "
       "Book\nann@example.net\n\n\n------- Returned Message --------\n",
       {{ann, "hard_user"}}},
      {"MailMarshal",
       kPostmaster,
       "Undeliverable Mail: \"News\"",
       "Your message:\n   From:    news@example.com\n   Subject: News\n\nCould not be delivered "
       "because of\n\n550 5.1.1 User unknown\n\nThe following recipients were affected: \n   "
       "ann@example.net\n\n",
       {{ann, "hard_user"}}},
      {"McAfee",
       kPostmaster,
       "Mail Delivery Failure",
       "This is an automated message.\n\n--- The following addresses had delivery problems ---\n\n"
       "<ann@example.net>   (User unknown ann@example.net 550 5.1.1)\n\n",
       {{ann, "hard_user"}}},
      {"InterScan",
       kPostmaster,
       "Mail could not be delivered",
       "Sent >>> RCPT TO:<ann@example.net>\nReceived <<< 550 5.1.1 <ann@example.net>... user "
       "unknown\n\nUnable to deliver message to <ann@example.net>\n\n",
       {{ann, "hard_user"}}},
      {"InterScan in Japanese",
       "\"InterScan MSS\" <imss@mx.example.com>",
       "メッセージを配信できません。",
       "Sent >>> RCPT TO:<ann@example.net>\nReceived <<< 550 5.1.1 <ann@example.net>... user "
       "unknown\n\nUnable to deliver message to <ann@example.net>\n\n",
       {{ann, "hard_user"}}},
      {"ezweb",
       kPostmaster,
       "Mail System Error - Returned Mail",
       "Each of the following recipients was rejected by a remote mail server.\nThe reasons given "
       "by "
       "the server are included to help you determine why\neach recipient was rejected.\n\n    "
       "Recipient: <ann@example.net>\n    >>> RCPT TO:<ann@example.net>\n    <<< 550 "
       "<ann@example.net>: User unknown\n\n",
       {{ann, "hard_user"}}},
      {"MailFoundry",
       kPostmaster,
       "Message delivery has failed",
       "This is a MIME encoded message.\n\nUnable to deliver message to: <ann@example.net>\n"
       "Delivery failed for the following reason:\nServer mx.example.net[192.0.2.5] failed with: "
       "550 5.1.1 <ann@example.net> No such user here\n\nThis has been a permanent failure.  No "
       "further delivery attempts will be made.\n\n",
       {{ann, "hard_user"}}},
      {"m-FILTER",
       kPostmaster,
       "failure notice",
       "-------server message\nError: <ann@example.net> 550 5.1.1 <ann@example.net>: User "
       "unknown\n\n-------SMTP command\nRCPT TO: <ann@example.net>\n\n-------original mail info\n",
       {{ann, "hard_user"}}},
      {"SurfControl",
       kPostmaster,
       "Message could not be sent",
       "Your message could not be sent.\nA transcript of the attempts to send the message "
       "follows.\nThe number of attempts made: 1\nAddressed To: ann@example.net\n\nMon 23 Nov 2026 "
       "10:00:00 +0000\nFailed to send to identified host,\nann@example.net: [192.0.2.5], 550 "
       "5.1.1 "
       "ann@example.net... No such user\n\n--- Message non-deliverable.\n\n",
       {{ann, "hard_user"}}},
      {"IMail, no such user",
       kPostmaster,
       "Undeliverable Mail ",
       "Unknown user: ann@example.net\n\nOriginal message follows.\n\n",
       {{ann, "hard_user"}}},
      {"IMail, full",
       kPostmaster,
       "Undeliverable Mail",
       "User mailbox exceeds allowed size: ann@example.net\n\nOriginal message follows.\n\n",
       {{ann, "soft"}}},
      {"IMail, given up",
       kPostmaster,
       "Undeliverable Mail",
       "Delivery failed 20 attempts: ann@example.net\n\nOriginal message follows.\n\n",
       {{ann, "soft"}}},
      {"Biglobe",
       kPostmaster,
       "Returned mail: Mail Delivery Problem",
       "   ----- The following addresses had delivery problems -----\nann@example.net\n\n   ----- "
       "Non-delivered information -----\nThe number of messages in recipient's mailbox exceeded "
       "the "
       "local limit.\n\n",
       {{ann, "soft"}}},
      {"KDDI",
       kPostmaster,
       "Mail System Error - Returned Mail",
       "Your mail sent on: Mon, 23 Nov 2026 10:00:00 +0900\nCould not be delivered to: "
       "<ann@example.net>\nAs their mailbox is full.\n\n",
       {{ann, "soft"}}},
      {"ActiveHunter",
       kSystem,
       "FAILURE NOTICE :",
       "Hi. This is the MAILER-DAEMON.\n\n  ----- The following addresses had permanent fatal "
       "errors "
       "-----\n\n>>> ann@example.net <ann@example.net>\n\n  ----- Transcript of session follows "
       "-----\n550 5.1.1 sorry, no mailbox here by that name (#5.1.1 - chkuser)\n\n",
       {{ann, "hard_user"}}},
      {"Zoho",
       kSystem,
       "Undelivered Mail Returned to Sender",
       "This message was created automatically by mail delivery software.\nA message that you sent "
       "could not be delivered to one or more of its recipients. This is a permanent error. \n\n"
       "ann@example.net Invalid Address, ERROR_CODE :550, ERROR_CODE :5.1.1 <ann@example.net>... "
       "User Unknown\n\n",
       {{ann, "hard_user"}}},
      {"Gmail of old",
       kSystem,
       "Delivery Status Notification (Failure)",
       "Delivery to the following recipient failed permanently:\n\n     ann@example.net\n\n"
       "Technical details of permanent failure:\nGoogle tried to deliver your message, but it was "
       "rejected by the server for the recipient domain example.net by mx.example.net. "
       "[192.0.2.5].\n\nThe error that the other server returned was:\n550 5.1.1 "
       "<ann@example.net>: "
       "Recipient address rejected: User unknown\n\n----- Original message -----\n\n",
       {{ann, "hard_user"}}},
      {"a transcript with a numbered list",
       kPostmaster,
       "Mail delivery problem",
       "We had trouble delivering your message. Full details follow:\n\nSubject: 'News'\nDate: "
       "'Mon, 23 Nov 2026 10:00:00'\n\n1 error(s):\n\nSMTP Server <mx.example.net> rejected "
       "recipient <ann@example.net> \n  (Error following RCPT command). It responded as follows: "
       "[550 5.1.1 <ann@example.net>... User Unknown]\n\n",
       {{ann, "hard_user"}}},
      {"a reason in brackets",
       kSystem,
       "Returned mail: User unknown",
       "The original message was received at Mon, 23 Nov 2026 10:00:00 +0000\nfrom "
       "news@example.com\n\n---The following addresses had delivery errors---\n\nann@example.net "
       "[User unknown 550 5.1.1]\n\n",
       {{ann, "hard_user"}}},
      {"Postfix without its other parts",
       kSystem,
       "Undelivered Mail Returned to Sender",
       "This is the mail system at host mx.example.com.\n\nI'm sorry to have to inform you that "
       "your message could not\nbe delivered to one or more recipients. It's attached below.\n\n"
       "For further assistance, please send mail to postmaster.\n\n                   The mail "
       "system\n\n<ann@example.net>: host mx.example.net[192.0.2.5] said: 550 5.1.1\n    "
       "<ann@example.net>: Recipient address rejected: User unknown in virtual\n    mailbox table "
       "(in reply to RCPT TO command)\n\n<bob@example.org>: connect to "
       "mx.example.org[192.0.2.6]:25: "
       "Connection timed\n    out\n\n",
       {{ann, "hard_user"}, {"bob@example.org", "soft"}}},
      {"Dragonfly",
       kSystem,
       "Mail delivery failed",
       "This is the DragonFly Mail Agent v0.13 at mx.example.com.\n\nThere was an error delivering "
       "your mail to <ann@example.net>.\n\nmx.example.net [192.0.2.5] did not like our RCPT "
       "TO:\n550 "
       "5.1.1 <ann@example.net>: Recipient address rejected: User unknown\n\nMessage headers "
       "follow.\n\n",
       {{ann, "hard_user"}}},
      {"German",
       kSystem,
       "Mail delivery failed: returning message to sender",
       "Diese Nachricht wurde automatisch erzeugt.\n\nIhre Nachricht konnte nicht zugestellt "
       "werden "
       "an:\n\n<ann@example.net>: 550 5.1.1 Benutzer unbekannt\n\n",
       {{ann, "hard_user"}}},
      {"Italian",
       kSystem,
       "Mancato recapito: News",
       "Non è stato possibile recapitare il messaggio a:\n\nann@example.net\n\n552 5.2.2 Casella "
       "piena\n\n",
       {{ann, "soft"}}},
      {"Dutch",
       kSystem,
       "Onbestelbaar: News",
       "Uw bericht kon niet worden bezorgd bij:\n\nann@example.net\n\n550 5.1.1 Onbekende "
       "gebruiker\n\n",
       {{ann, "hard_user"}}},
      {"Russian",
       kSystem,
       "Недоставленное сообщение",
       "Ваше письмо не было доставлено:\n\n<ann@example.net>: 552 5.2.2 Почтовый ящик "
       "переполнен\n\n",
       {{ann, "soft"}}},
      {"Chinese",
       kSystem,
       "系统退信",
       "您的邮件无法投递到以下收件人:\n\n<ann@example.net>: 550 5.1.1 收件人不存在\n\n",
       {{ann, "hard_user"}}},
      {"Japanese",
       kSystem,
       "配信エラー",
       "次の宛先に配信できませんでした。\n\n<ann@example.net>: 550 5.1.1 "
       "宛先のメールアドレスは存在しません\n\n",
       {{ann, "hard_user"}}},
      {"French",
       kSystem,
       "Undeliverable: News",
       "Votre message n'a pas pu \xC3\xAAtre remis au destinataire suivant :\n\n<ann@example.net>: "
       "550 "
       "5.1.1 Destinataire inconnu\n\n",
       {{ann, "hard_user"}}},
  };
}

constexpr const char* kReturned =
    "Received: from app.example.com by mx.example.com; Mon, 23 Nov 2026 10:00:00 +0000\n"
    "From: News <news@example.com>\nTo: ann@example.net\nMessage-ID: <m1@example.com>\n"
    "Subject: News\nContent-Type: text/plain\n\nHello\n";

std::string head_of(const Form& form) {
  return std::string("Return-Path: <>\nFrom: ") + form.from +
         "\nTo: news@example.com\nDate: Mon, 23 Nov 2026 10:00:02 +0000\nMessage-ID: "
         "<r1@mx.example.com>\nMIME-Version: 1.0\nSubject: " +
         form.subject + "\n";
}

constexpr const char* kPlain = "Content-Type: text/plain; charset=utf-8";

struct Clothes {
  const char* name;
  std::function<std::string(const Form&)> wear;
};

std::vector<Clothes> wardrobe() {
  const auto returned = [] { return part("Content-Type: message/rfc822", kReturned); };
  return {
      {"bare", [](const Form& form) { return head_of(form) + "\n" + form.body; }},
      {"returned message below",
       [](const Form& form) {
         return head_of(form) + kPlain + "\n\n" + form.body +
                "--- Below this line is a copy of the message.\n\n" + kReturned;
       }},
      {"CRLF",
       [](const Form& form) { return with_crlf(head_of(form) + kPlain + "\n\n" + form.body); }},
      {"quoted-printable",
       [](const Form& form) {
         return head_of(form) + kPlain + "\nContent-Transfer-Encoding: quoted-printable\n\n" +
                quoted_printable(form.body);
       }},
      {"base64",
       [](const Form& form) {
         return head_of(form) + kPlain + "\nContent-Transfer-Encoding: base64\n\n" +
                base64(form.body);
       }},
      {"report of text and message",
       [=](const Form& form) {
         return head_of(form) +
                multipart("multipart/mixed", "b1", {part(kPlain, form.body), returned()});
       }},
      {"nested, in base64, beside HTML",
       [=](const Form& form) {
         const std::string text =
             part(std::string(kPlain) + "\nContent-Transfer-Encoding: base64", base64(form.body));
         const std::string html =
             part("Content-Type: text/html; charset=utf-8", as_html(form.body));
         return head_of(form) +
                multipart("multipart/mixed", "b1",
                          {multipart("multipart/related", "b2",
                                     {multipart("multipart/alternative", "b3", {text, html})}),
                           returned()});
       }},
      {"HTML alone",
       [=](const Form& form) {
         return head_of(form) +
                multipart("multipart/mixed", "b1",
                          {part("Content-Type: text/html; charset=utf-8", as_html(form.body)),
                           returned()});
       }},
      {"a disclaimer before it",
       [=](const Form& form) {
         return head_of(form) + multipart("multipart/mixed", "b1",
                                          {part(kPlain, form.body), returned(),
                                           part(kPlain, "This mail was scanned.\n")});
       }},
  };
}

TEST(ReportForms, GiveRecipientAndClassInAnyClothes) {
  int right = 0, all = 0;
  for (const Form& form : forms())
    for (const Clothes& clothes : wardrobe()) {
      const MailReport report = parse_mail(clothes.wear(form), rules());
      std::vector<std::pair<std::string, std::string>> got;
      for (const MailResult& result : report.results)
        got.emplace_back(result.recipient, std::string(policy::to_string(result.bounce_class)));
      EXPECT_EQ(got, form.want) << form.name << ", " << clothes.name;
      ++all;
      right += got == form.want ? 1 : 0;
    }
  std::printf("%d of %d mails right\n", right, all);
}

}  // namespace
}  // namespace ipmit::events
