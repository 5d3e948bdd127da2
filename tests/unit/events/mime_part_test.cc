// SPDX-License-Identifier: Apache-2.0
#include "events/mime_part.h"

#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

namespace ipmit::events {
namespace {

std::string multipart(const std::string& body) {
  return "Content-Type: multipart/mixed; boundary=b\n\n" + body + "--b--\n";
}

TEST(ReadMail, DecodesTextAndLeavesReturnedMessagesWhole) {
  const Mail mail = read_mail(
      "From ann Mon Nov 23 10:00:00 2026\nSubject: =?utf-8?q?caf=C3=A9?=\n two\n" +
      multipart("--b\nContent-Type: text/plain; charset=iso-2022-jp\n\n\x1b$B$\"\x1b(B\n"
                "--b\nContent-Type: text/plain\nContent-Transfer-Encoding: "
                "quoted-printable\n\na=3Db=\nc\n"
                "--b\nContent-Type: text/plain\nContent-Transfer-Encoding: base64\n\naGVsbG8=\n"
                "--b\nContent-Type: image/png\n\nbytes\n"
                "--b\nContent-Type:\n Message/RFC822\n\nSubject: inner\nContent-Type: "
                "multipart/mixed; boundary=c\n\n--c\n\nx\n--c--\n"));
  EXPECT_EQ(mail.headers.find("subject"), "=?utf-8?q?caf=C3=A9?= two");
  EXPECT_EQ(decode_header(mail.headers.find("subject")), "caf\xC3\xA9 two");
  ASSERT_EQ(mail.parts.size(), 5U);
  EXPECT_EQ(mail.parts[0].text, "\xE3\x81\x82");
  EXPECT_EQ(mail.parts[1].text, "a=bc");
  EXPECT_EQ(mail.parts[2].text, "hello");
  EXPECT_EQ(mail.parts[3].text, "");
  EXPECT_EQ(mail.parts[4].type, "message/rfc822");
  EXPECT_EQ(parse_headers(mail.parts[4].text).find("subject"), "inner");
  EXPECT_FALSE(mail.cut);
}

TEST(ReadMail, AMultipartWithoutItsBoundaryIsText) {
  const Mail mail =
      read_mail("Content-Type: multipart/report; boundary=right\n\n--wrong\n\nhello\n");
  ASSERT_EQ(mail.parts.size(), 1U);
  EXPECT_EQ(mail.parts[0].type, "text/plain");
  EXPECT_NE(mail.parts[0].text.find("hello"), std::string::npos);
}

using Parts = std::vector<std::pair<std::string, std::string>>;

Parts parts_of(const std::string& mail) {
  Parts parts;
  for (const MimePart& part : read_mail(mail).parts) parts.emplace_back(part.type, part.text);
  return parts;
}

TEST(ReadMail, FindsThePartsOfDamagedMails) {
  const std::string inner = "--b\nContent-Type: multipart/mixed; boundary=\"c d\"\n\n";
  const std::string html = "--b\nContent-Type: text/html\n\ny\n";
  struct Row {
    const char* about;
    std::string body;
    Parts wanted;
  };
  const Row rows[] = {
      {"an inner multipart ends with the boundary of the outer",
       inner + "--c d\n\nx\n" + html,
       {{"text/plain", "x"}, {"text/html", "y"}}},
      {"an inner multipart without parts is its text",
       inner + "x\r\ny\r\n" + html,
       {{"text/plain", "x\ny"}, {"text/html", "y"}}},
      {"a header may end with a boundary",
       "--b\nContent-Type: message/rfc822\n" + html,
       {{"message/rfc822", ""}, {"text/html", "y"}}},
      {"a line of a header that is no field says nothing",
       "--b\nno field\nContent-Type:\n\ttext/html\nnor this\n\ny\n",
       {{"text/html", "y"}}},
      {"of two types the last counts",
       "--b\nContent-Type: text/html\nContent-Type: text/plain\n\nx\n",
       {{"text/plain", "x"}}},
      {"blanks may follow a boundary, other characters not",
       "--b \t\r\n\r\nx\r\n--bb\r\n--b-- \r\n",
       {{"text/plain", "x\r\n--bb"}}},
      {"what follows the last boundary is no part",
       "--b\n\nx\n--b--\nz\n--b\n\nz\n",
       {{"text/plain", "x"}}},
      {"a boundary may be written as RFC 2231 has it",
       "--b\nContent-Type: multipart/mixed; boundary*=us-ascii''%63\n\n--c\n\nx\n--c--\n",
       {{"text/plain", "x"}}},
  };
  for (const Row& row : rows) EXPECT_EQ(parts_of(multipart(row.body)), row.wanted) << row.about;
}

TEST(ReadMail, APartOfADigestIsAMessage) {
  const Parts parts = parts_of("Content-Type: multipart/digest; boundary=b\n\n--b\n\nSubject: x\n");
  EXPECT_EQ(parts, (Parts{{"message/rfc822", "Subject: x\n"}}));
}

TEST(ReadMail, NothingBehindABoundaryIsNoPart) {
  EXPECT_EQ(parts_of("Content-Type: multipart/mixed; boundary=b\n\n--b\n\nx\n--b\n"),
            (Parts{{"text/plain", "x"}}));
}

TEST(ReadMail, AMultipartThatNamesNoBoundaryIsText) {
  EXPECT_EQ(parts_of("Content-Type: multipart/mixed\n\n--b\n\nx\n--\ny\n"),
            (Parts{{"text/plain", "--b\n\nx\n--\ny\n"}}));
}

TEST(ReadMail, StopsAtItsLimitsAndSaysSo) {
  std::string many;
  for (int i = 0; i < 1'000'000; ++i) many += "--b\n\n";
  const Mail parts = read_mail(multipart(many));
  EXPECT_TRUE(parts.cut);
  EXPECT_LE(parts.parts.size(), kMaxBoundaryLines);

  std::string nested;
  for (int i = 0; i < 1000; ++i) {
    const std::string name = "b" + std::to_string(i);
    nested += "Content-Type: multipart/mixed; boundary=" + name + "\n\n--" + name + "\n";
  }
  EXPECT_TRUE(read_mail(nested + "\nhello").cut);

  const Mail big = read_mail("Subject: big\n\n" + std::string(64u << 20, 'x'));
  EXPECT_TRUE(big.cut);
  ASSERT_EQ(big.parts.size(), 1U);
  EXPECT_EQ(big.parts[0].text.size(), kMaxPartText);

  std::string fields;
  for (int i = 0; i < 100'000; ++i) fields += "X-A: b\n";
  const Mail many_fields = read_mail(fields + "\nbody");
  EXPECT_TRUE(many_fields.cut);
  EXPECT_LE(many_fields.headers.fields().size(), kMaxHeaderFields);
}

TEST(ReadMail, ManyNestedMessagesAndNulsAreHarmless) {
  std::string messages;
  for (int i = 0; i < 1000; ++i) messages += "Content-Type: message/rfc822\n\n";
  EXPECT_EQ(read_mail(messages).parts.size(), 1U);
  const std::string nuls("Subject: a\0b\n\n\0\0<a@b>: \0", 24);
  EXPECT_EQ(read_mail(nuls).parts.size(), 1U);
  EXPECT_TRUE(read_mail("").headers.empty());
  EXPECT_TRUE(read_mail("\n").headers.empty());
}

}  // namespace
}  // namespace ipmit::events
