// SPDX-License-Identifier: Apache-2.0
#include "common/log.h"

#include <string>

#include <gtest/gtest.h>

namespace ipmit::common {
namespace {

std::string logged(LogLevel lowest, LogLevel level, std::string_view value) {
  testing::internal::CaptureStderr();
  start_log("ipmit-test", lowest);
  log_event(level, "decision", {{"queue_id", "4jYqRf3"}, {"reason", value}, {"recipients", 3}});
  return testing::internal::GetCapturedStderr();
}

TEST(Log, OneEventIsOneLineOfKeyValuePairs) {
  const std::string line = logged(LogLevel::kInfo, LogLevel::kInfo, "burst");
  EXPECT_TRUE(line.ends_with(
      "Z ipmit-test info event=decision queue_id=4jYqRf3 reason=burst recipients=3\n"))
      << line;
  EXPECT_EQ(line.substr(4, 1), "-") << "starts with the time: " << line;
}

TEST(Log, ValuesCannotForgeFieldsOrLines) {
  struct Case {
    const char* sentence;
    std::string_view value;
    const char* want;
  };
  for (const Case& c : std::initializer_list<Case>{
           {"blank", "two words", "reason=\"two words\""},
           {"empty", "", "reason=\"\""},
           {"line break", "a\nevent=x", "reason=\"a\\x0aevent=x\""},
           {"quote and backslash", "a\"b\\c", "reason=\"a\\\"b\\\\c\""},
           {"equals sign", "a=b", "reason=\"a=b\""},
           {"escape sequence", "\x1b[31m", "reason=\"\\x1b[31m\""},
           {"utf-8 stays", "grün", "reason=grün"},
           {"braces are no format", "{}", "reason={}"},
       }) {
    const std::string line = logged(LogLevel::kInfo, LogLevel::kInfo, c.value);
    EXPECT_NE(line.find(c.want), std::string::npos) << c.sentence << ": " << line;
    EXPECT_EQ(line.find('\n'), line.size() - 1) << c.sentence;
  }
}

TEST(Log, LevelsBelowTheLowestAreSilent) {
  EXPECT_EQ(logged(LogLevel::kWarn, LogLevel::kInfo, "x"), "");
  EXPECT_NE(logged(LogLevel::kWarn, LogLevel::kError, "x"), "");
  EXPECT_EQ(parse_log_level("debug", LogLevel::kInfo), LogLevel::kDebug);
  EXPECT_EQ(parse_log_level("loud", LogLevel::kInfo), LogLevel::kInfo);
}

}  // namespace
}  // namespace ipmit::common
