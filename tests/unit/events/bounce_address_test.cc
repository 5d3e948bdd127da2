// SPDX-License-Identifier: Apache-2.0
// Where an address begins and ends among words of other scripts; and fields that only look like
// one.
#include "events/bounce_address.h"

#include <string>

#include <gtest/gtest.h>

namespace ipmit::events {
namespace {

TEST(BounceAddress, IsFoundAmongWordsOfAnyScript) {
  const struct {
    const char* text;
    const char* want;
  } rows[] = {
      {"to ann@example.net.", "ann@example.net"},
      {"[ann@example.net]: 550", "ann@example.net"},
      {"收件人（ann@example.net）不存在", "ann@example.net"},
      {"宛先：ann@example.netは存在しません", "ann@example.net"},
      {"地址ann@example.net不存在", "ann@example.net"},
      {"«ann@example.net»", "ann@example.net"},
      {"“ann@example.net”", "ann@example.net"},
      {"à\xC2\xA0"
       "ann@example.net",
       "ann@example.net"},
      {"jörg@bücher.example", "jörg@bücher.example"},
      {"用户1@例え.テスト", "用户1@例え.テスト"},
      {"用户@example.net", "用户@example.net"},
      {"to o'neil@example.net.", "o'neil@example.net"},
      {"'o'neil@example.net'", "o'neil@example.net"},
      {"to 'ann@example.net'", "ann@example.net"},
      {"(''ann@example.net'')", "ann@example.net"},
      {"@example.net", ""},
      {"ann@", ""},
      {"ann@（", ""},
  };
  for (const auto& row : rows) {
    const auto found = find_address(row.text);
    EXPECT_EQ(found ? found->address : std::string(), row.want) << row.text;
  }
}

TEST(BounceAddress, BracketsBelongToIt) {
  const auto found = find_address("x [ann@example.net] y");
  ASSERT_TRUE(found);
  EXPECT_EQ(found->begin, 2u);
  EXPECT_EQ(found->end, 19u);
}

TEST(BounceAddress, AsWrittenOnlyIfNothingElseIsOdd) {
  EXPECT_EQ(address_as_written("RFC822; ann@#example.net"), "ann@#example.net");
  EXPECT_EQ(address_as_written("rfc822;<ann@-x>"), "ann@-x");
  for (const char* bad : {"", "ann", "@#x", "ann@", "rfc822;|sort@#x", "/tmp/a@#x", "a b@#x",
                          "a@#x y", "a@b@#c", "<a@#x", "\"a b\"@#x"})
    EXPECT_EQ(address_as_written(bad), "") << bad;
  EXPECT_EQ(address_as_written("a@" + std::string(400, '#')), "");
}

}  // namespace
}  // namespace ipmit::events
