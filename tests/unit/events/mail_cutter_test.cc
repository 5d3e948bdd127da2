// SPDX-License-Identifier: Apache-2.0
#include "events/mail_cutter.h"

#include <gtest/gtest.h>

#include "events/mime_part.h"

namespace ipmit::events {
namespace {

using Mails = std::vector<std::string>;

Mails cut(std::string_view input, std::size_t step) {
  Mails mails;
  MailCutter cutter([&](std::string_view mail) { mails.emplace_back(mail); });
  for (std::size_t at = 0; at < input.size(); at += step) cutter.add(input.substr(at, step));
  cutter.finish();
  return mails;
}

TEST(MailCutter, CutsOnlyFilesThatStartAsAMbox) {
  const std::string first = "From a Mon Nov 23 10:00:00 2026\nS: 1\n\nx\n\n";
  const std::string second = "From b@example.net  Tue Nov 24 10:00:00 2026\r\nS: 2\n";
  const std::string long_line(5000, 'y');
  const struct {
    const char* name;
    std::string input;
    Mails want;
  } rows[] = {
      {"nothing is one empty mail", "", {""}},
      {"one mail", "S: 1\n\nx", {"S: 1\n\nx"}},
      {"a separator in a mail that is no mbox", "S: 1\n\n" + second, {"S: 1\n\n" + second}},
      {"two mails", first + second, {first, second}},
      {"no newline at the end",
       first + "From b Tue Nov 24 2026",
       {first, "From b Tue Nov 24 2026"}},
      {"words in a text", first + "From here on\n", {first + "From here on\n"}},
      {"nobody", first + "From \n\nFrom  \n", {first + "From \n\nFrom  \n"}},
      {"nobody at the start", "From \n\n" + second, {"From \n\n" + second}},
      {"no blank line before it",
       "From a Mon Nov 23 2026\nx\n" + second,
       {"From a Mon Nov 23 2026\nx\n" + second}},
      {"blank line with CR",
       "From a Mon Nov 23 2026\n\r\n" + second,
       {"From a Mon Nov 23 2026\n\r\n", second}},
      {"a line longer than a separator can be",
       first + long_line + "\n\n" + second,
       {first + long_line + "\n\n", second}},
  };
  for (const auto& row : rows)
    for (const std::size_t step : {std::size_t{1}, std::size_t{7}, std::size_t{100'000}})
      EXPECT_EQ(cut(row.input, step), row.want) << row.name << ", " << step;
}

TEST(MailCutter, KeepsOneByteMoreThanIsRead) {
  EXPECT_EQ(cut(std::string(kMaxMailBytes, 'x'), 1 << 16)[0].size(), kMaxMailBytes);
  EXPECT_EQ(cut(std::string(kMaxMailBytes + 9, 'x'), 1 << 16)[0].size(), kMaxMailBytes + 1);
}

}  // namespace
}  // namespace ipmit::events
