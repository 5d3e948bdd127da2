// SPDX-License-Identifier: Apache-2.0
#include "events/bounce_pattern.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace ipmit::events {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

TEST(WriteOut, GivesEveryAlternative) {
  EXPECT_THAT(write_out("plain *"), ElementsAre("plain *"));
  EXPECT_THAT(write_out("{user|mailbox} {is |}full"),
              ElementsAre("user is full", "user full", "mailbox is full", "mailbox full"));
  EXPECT_THAT(write_out("no {such |}user"), ElementsAre("no such user", "no user"));
  EXPECT_THAT(write_out("{a}b"), ElementsAre("ab"));
}

TEST(WriteOut, RefusesWhatIsOpenNestedOrTooMuch) {
  for (const char* bad : {"{a|b", "a}", "{a|{b|c}}", "a} {b", "{"})
    EXPECT_THAT(write_out(bad), IsEmpty()) << bad;
  const std::string sixteen = "{0|1|2|3|4|5|6|7|8|9|a|b|c|d|e|f}";
  EXPECT_THAT(write_out(sixteen + sixteen + sixteen), SizeIs(4096));
  EXPECT_THAT(write_out(sixteen + sixteen + sixteen + "{a|b}"), IsEmpty());
}

// As the rules do it: by the phrase, wherever that ends.
bool holds(const BouncePattern& pattern, std::string_view text) {
  for (std::size_t at = text.find(pattern.phrase()); at != std::string_view::npos;
       at = text.find(pattern.phrase(), at + 1))
    if (pattern.holds(text, at + pattern.phrase().size())) return true;
  return false;
}

TEST(BouncePattern, IsFoundByItsLastWords) {
  const BouncePattern pattern(false, "mailbox is over quota");
  EXPECT_EQ(pattern.phrase(), "over quota");
  EXPECT_EQ(BouncePattern(false, "mailbox is full").phrase(), "mailbox is full")
      << "\"is full\" is too short";
  EXPECT_EQ(BouncePattern(false, "full").phrase(), "full");
  EXPECT_TRUE(holds(pattern, "this mailbox is over quota"));
  EXPECT_TRUE(holds(pattern, "over quota, the mailbox is over quota, or nearly over quota"));
  EXPECT_FALSE(holds(pattern, "the mailbox is not over quota"));
  EXPECT_FALSE(holds(pattern, "over quota"));
}

TEST(BouncePattern, GapsAreLimited) {
  const BouncePattern pattern(false, "client [*] blocked by");
  EXPECT_TRUE(holds(pattern, "client [192.0.2.1] blocked by"));
  EXPECT_TRUE(holds(pattern, "client [" + std::string(80, '1') + "] blocked by"));
  EXPECT_FALSE(holds(pattern, "client [" + std::string(81, '1') + "] blocked by"));
  EXPECT_FALSE(holds(pattern, "] blocked by client ["));
}

}  // namespace
}  // namespace ipmit::events
