// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/cli/shell.h"

namespace ipmit::cli {
namespace {

using testing::AllOf;
using testing::HasSubstr;

constexpr const char* kDsn =
    "From: MAILER-DAEMON@mx.example.net\nTo: news@example.com\nSubject: Undelivered Mail\n"
    "MIME-Version: 1.0\nContent-Type: multipart/report; report-type=delivery-status; "
    "boundary=\"b\"\n\n--b\nContent-Type: text/plain\n\nCould not be delivered.\n"
    "--b\nContent-Type: message/delivery-status\n\nReporting-MTA: dns; mx.example.net\n\n"
    "Final-Recipient: rfc822; nobody@example.org\nAction: failed\nStatus: 5.1.1\n"
    "Diagnostic-Code: smtp; 550 5.1.1 <nobody@example.org>: user unknown\n"
    "--b\nContent-Type: message/rfc822\n\nFrom: news@example.com\nTo: nobody@example.org\n"
    "Message-ID: <m1@example.com>\nSubject: News\n\nHello\n--b--\n";

constexpr const char* kComplaint =
    "From: fbl@example.net\nTo: abuse@example.com\nSubject: FW: News\nMIME-Version: 1.0\n"
    "Content-Type: multipart/report; report-type=feedback-report; boundary=\"b\"\n\n"
    "--b\nContent-Type: text/plain\n\nA complaint.\n"
    "--b\nContent-Type: message/feedback-report\n\nFeedback-Type: abuse\nVersion: 1\n"
    "User-Agent: Example/1\nOriginal-Rcpt-To: reader@example.org\nSource-IP: 192.0.2.9\n"
    "--b\nContent-Type: message/rfc822\n\nFrom: news@example.com\nTo: reader@example.org\n"
    "Message-ID: <m2@example.com>\nSubject: News\n\nHello\n--b--\n";

constexpr const char* kVacation =
    "From: reader@example.org\nTo: news@example.com\nSubject: Out of office\n"
    "Auto-Submitted: auto-replied\n\nI am away.\n";

constexpr const char* kOrdinary =
    "From: a@example.com\nTo: b@example.org\nSubject: about user unknown\n\n"
    "We saw many 550 user unknown replies yesterday.\n";

std::string parse(const std::string& mail) {
  Shell shell;
  const auto result = shell.run({"parse", "mail", "-"}, mail);
  EXPECT_EQ(result.code, 0) << result.err;
  return result.out;
}

TEST(ParseMail, ABounceNamesRecipientStatusAndClass) {
  EXPECT_THAT(
      parse(kDsn),
      AllOf(HasSubstr("\"kind\":\"bounce\""), HasSubstr("\"status\":\"5.1.1\""),
            HasSubstr("\"replycode\":\"550\""), HasSubstr("\"class\":\"hard_user\""),
            HasSubstr("\"hardbounce\":true"), HasSubstr("\"recipient\":\"nobody@example.org\"")));
}

TEST(ParseMail, AComplaintNamesItsFeedbackType) {
  EXPECT_THAT(parse(kComplaint),
              AllOf(HasSubstr("\"kind\":\"complaint\""), HasSubstr("\"class\":\"complaint\""),
                    HasSubstr("\"feedbacktype\":\"abuse\""),
                    HasSubstr("\"recipient\":\"reader@example.org\"")));
}

TEST(ParseMail, AnAutomaticReplyIsNoBounce) {
  EXPECT_THAT(parse(kVacation),
              AllOf(HasSubstr("\"class\":\"auto\""), HasSubstr("\"hardbounce\":false")));
}

TEST(ParseMail, OrdinaryMailGivesNothing) {
  EXPECT_THAT(parse(kOrdinary), HasSubstr("\"results\":[]"));
  EXPECT_THAT(parse(""), HasSubstr("\"results\":[]"));
}

TEST(ParseMail, MailThatOnlySpeaksOfFailedMailGivesNothing) {
  EXPECT_THAT(parse("From: Help desk <help@example.net>\nTo: ann@example.com\n"
                    "Subject: Undelivered messages are waiting\n\n"
                    "Five messages have not been delivered to ann@example.com because your mailbox "
                    "is full. Release them today.\n"),
              HasSubstr("\"results\":[]"));
  EXPECT_THAT(
      parse("From: bob@example.net\nTo: ann@example.com\n"
            "Subject: Mail delivery to our customers\n\n"
            "Yesterday a mail to carl@example.org could not be delivered. Who knows why?\n"),
      HasSubstr("\"results\":[]"));
}

TEST(ParseMail, AMissingFileIsBadInputAndTheOthersAreRead) {
  Shell shell;
  const auto result = shell.run({"parse", "mail", "/nonexistent.eml", "-"}, kDsn);
  EXPECT_EQ(result.code, 2);
  EXPECT_THAT(result.err, HasSubstr("/nonexistent.eml"));
  EXPECT_THAT(result.out, HasSubstr("nobody@example.org"));
}

}  // namespace
}  // namespace ipmit::cli
