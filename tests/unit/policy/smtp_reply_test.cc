// SPDX-License-Identifier: Apache-2.0
#include "policy/smtp_reply.h"

#include <algorithm>
#include <random>

#include <gtest/gtest.h>

namespace ipmit::policy {
namespace {

TEST(SmtpReply, ChecksItsCodes) {
  const struct {
    const char* name;
    const char* code;
    const char* enhanced;
    bool want;
  } kRows[] = {
      {"tempfail", "451", "4.7.1", true},
      {"reject", "550", "5.7.1", true},
      {"too many recipients", "452", "4.5.3", true},
      {"long numbers", "554", "5.123.456", true},
      {"421 ends the session", "421", "4.7.0", false},
      {"class mismatch", "450", "5.7.1", false},
      {"class mismatch the other way", "550", "4.7.1", false},
      {"success", "250", "2.0.0", false},
      {"second digit", "460", "4.7.1", false},
      {"two digits", "45", "4.7.1", false},
      {"four digits", "4510", "4.7.1", false},
      {"letters", "4x1", "4.7.1", false},
      {"empty", "", "", false},
      {"no enhanced code", "451", "", false},
      {"two parts", "451", "4.7", false},
      {"four parts", "451", "4.7.1.1", false},
      {"four digits in a part", "451", "4.7.1234", false},
      {"leading zero", "451", "4.07.1", false},
      {"empty part", "451", "4..1", false},
      {"blank", "451", "4.7.1 ", false},
  };
  for (const auto& row : kRows) {
    SCOPED_TRACE(row.name);
    const auto got = SmtpReply::make(row.code, row.enhanced, "text");
    ASSERT_EQ(got.ok(), row.want);
    EXPECT_EQ(got ? got->to_string() : "",
              row.want ? std::string(row.code) + ' ' + row.enhanced + " text" : "");
  }
}

TEST(SmtpReply, MakesOneLineOfAnyText) {
  const struct {
    const char* name;
    std::string text;
    std::string want;
  } kRows[] = {
      {"plain", "try later", "try later"},
      {"line break", "a\r\nb", "a b"},
      {"an attempt at a second reply", "x\r\n250 2.0.0 ok", "x 250 2.0.0 ok"},
      {"blanks", "  a \t  b  ", "a b"},
      {"other bytes", "caf\u00e9\x01\x7f", "caf????"},
      {"a byte of zero", std::string("a\0b", 3), "a?b"},
      {"exactly 400", std::string(400, 'a'), std::string(400, 'a')},
      {"401 is cut", std::string(401, 'a'), std::string(397, 'a') + "..."},
      {"nothing", "", "Try again later"},
      {"only blanks", " \n ", "Try again later"},
      {"per cent", "100%", "100%"},
  };
  for (const auto& row : kRows) {
    SCOPED_TRACE(row.name);
    EXPECT_EQ(SmtpReply::tempfail(row.text).text(), row.want);
  }
  EXPECT_EQ(SmtpReply::reject("").text(), "Refused by local policy");
  EXPECT_EQ(SmtpReply::tempfail("50% of %s").milter_text(), "50%% of %%s");
  EXPECT_EQ(SmtpReply::tempfail("x").to_string(), "451 4.7.1 x");
  EXPECT_EQ(SmtpReply::reject("x").to_string(), "550 5.7.1 x");
  EXPECT_TRUE(SmtpReply::reject("x").is_permanent());
  EXPECT_FALSE(SmtpReply::tempfail("x").is_permanent());
}

// Whatever bytes a rule carries, Postfix passes the reply on as it stands.
TEST(SmtpReply, IsValidForRandomInput) {
  std::mt19937 random(20260101);
  const auto bytes = [&](std::size_t most, bool any) {
    std::string text(random() % (most + 1), '\0');
    for (char& c : text) c = any ? static_cast<char>(random()) : "0123456789.45 "[random() % 14];
    return text;
  };
  int made = 0;
  for (int round = 0; round < 20000; ++round) {
    const bool plausible = round % 2 == 0;
    const auto reply = SmtpReply::make(plausible ? "451" : bytes(4, false),
                                       plausible ? "4.7.1" : bytes(7, false), bytes(900, true));
    if (!reply) continue;
    ++made;
    const std::string& text = reply->text();
    ASSERT_FALSE(text.empty());
    ASSERT_LE(text.size(), SmtpReply::kMaxText);
    ASSERT_TRUE(
        std::all_of(text.begin(), text.end(), [](char c) { return c >= 0x20 && c < 0x7f; }));
    ASSERT_EQ(reply->code()[0], reply->enhanced()[0]);
    ASSERT_EQ(reply->is_permanent(), reply->code()[0] == '5');
    const std::string sent = reply->milter_text();
    ASSERT_EQ(sent.size(),
              text.size() + static_cast<std::size_t>(std::count(text.begin(), text.end(), '%')));
    ASSERT_LE(sent.size(), 980u);  // libmilter's limit
  }
  EXPECT_GE(made, 10000);
}

}  // namespace
}  // namespace ipmit::policy
