// SPDX-License-Identifier: Apache-2.0
// Bad records: each is told once, with its place, and costs the others nothing.
#include <gtest/gtest.h>

#include "conf/bounce_rules.h"
#include "events/provider/provider_events.h"

namespace ipmit::events {
namespace {

using Lines = std::vector<std::string>;

struct Pieces {
  Lines texts, faults;
};

// The same in one go and byte by byte.
Pieces cut(const std::string& input, bool by_byte = false) {
  Pieces out;
  JsonPieces pieces(
      [&](std::string_view text, std::uint64_t line) {
        out.texts.push_back(std::to_string(line) + ' ' + std::string(text));
      },
      [&](std::uint64_t line, std::string_view reason) {
        out.faults.push_back(std::to_string(line) + ' ' + std::string(reason));
      });
  for (std::size_t at = 0; by_byte && at < input.size(); ++at) pieces.add(input.substr(at, 1));
  if (!by_byte) pieces.add(input);
  pieces.finish();
  return out;
}

TEST(JsonPieces, CutsWhatComes) {
  const struct {
    const char* name;
    std::string input;
    Lines texts, faults;
  } rows[] = {
      {"nothing", "", {}, {}},
      {"blank lines", "\n \r\n", {}, {}},
      {"lines", "{\"a\":1}\n{}\n", {"1 {\"a\":1}", "2 {}"}, {}},
      {"no newline at the end", "{}", {"1 {}"}, {}},
      {"over several lines", "{\n\"a\": [\n{}\n]\n}", {"1 {\n\"a\": [\n{}\n]\n}"}, {}},
      {"a list", "[{\"a\":\"]}\"},\n{}]", {"1 {\"a\":\"]}\"}", "2 {}"}, {}},
      {"an escaped quote", R"({"a":"\"}"})", {R"(1 {"a":"\"}"})"}, {}},
      {"byte order mark and record separator", "\xef\xbb\xbf{}\x1e{}", {"1 {}", "1 {}"}, {}},
      {"other values are none",
       "true\n{}\n\"x\" {}\n5",
       {"2 {}"},
       {"1 not a JSON object", "3 not a JSON object", "4 not a JSON object"}},
      {"a list in a list", "[[{}]]\n{}", {"2 {}"}, {"1 not a JSON object"}},
      {"cut off", "{\"a\":1", {}, {"1 ends in the middle of the record"}},
      {"cut off inside a text",
       "{\"a\":\"x\n{\"b\":1}",
       {"2 {\"b\":1}"},
       {"1 the line ends inside a text"}},
      {"cut off between members",
       "{\"a\":1,\n{\"b\":1}",
       {"2 {\"b\":1}"},
       {"1 the record ends before its brackets are closed"}},
      {"crossed brackets",
       "{\"a\":[1}\n{}",
       {"2 {}"},
       {"1 a bracket is closed by one of the other kind"}},
      {"64 deep is allowed",
       "{\"a\":" + std::string(63, '[') + std::string(63, ']') + "}{}",
       {"1 {\"a\":" + std::string(63, '[') + std::string(63, ']') + "}", "1 {}"},
       {}},
      {"65 deep is not",
       "{\"a\":" + std::string(64, '[') + std::string(64, ']') + "}{}",
       {"1 {}"},
       {"1 brackets are nested deeper than 64"}},
      {"NULs", std::string("\0\0\n{}", 5), {"2 {}"}, {"1 not a JSON object"}},
  };
  for (const auto& row : rows) {
    for (const bool by_byte : {false, true}) {
      const Pieces got = cut(row.input, by_byte);
      EXPECT_EQ(got.texts, row.texts) << row.name;
      EXPECT_EQ(got.faults, row.faults) << row.name;
    }
  }
}

TEST(JsonPieces, TooLongARecordIsPassedOver) {
  const std::string fits = "{\"a\":\"" + std::string(JsonPieces::kMaxPiece - 8, 'x') + "\"}";
  EXPECT_EQ(cut(fits + "{}").texts.size(), 2U);
  const std::string longer = "{\"a\":\"" + std::string(JsonPieces::kMaxPiece - 7, 'x') + "\"}";
  const Pieces got = cut(longer + "\n{}");
  ASSERT_EQ(got.texts.size(), 1U);
  EXPECT_EQ(got.texts[0].substr(0, 9), "2 {}");
  EXPECT_EQ(got.faults, Lines{"1 the record is longer than 4 MiB"});
}

TEST(ProviderInput, BadRecordsAreToldWithTheirPlace) {
  static const auto kRules = BounceRules::compile(
      *conf::parse_bounce_rules(conf::default_bounce_rules(), "built-in bounce rules"));
  const struct {
    const char* input;
    const char* want;
  } rows[] = {
      {"{}", "is of none of the known providers; say which it is"},
      {R"({"a": nil})",
       "not JSON: parse error at line 1, column 8: syntax error while parsing value - invalid "
       "literal; last read: '\"a\": ni'"},
      {R"({"notificationType": "Bounce", "mail": {}})", "bounce: missing"},
      {R"({"notificationType": "Bounce", "mail": {}, "bounce": {"bouncedRecipients": ["a@b.de"]}})",
       "bounce.timestamp: missing"},
      {R"({"notificationType": "Bounce", "mail": {}, "bounce": {"timestamp": 1}})",
       "bounce: names no recipient"},
      {R"({"Type": "Notification", "TopicArn": "x", "Message": "{\"a\""})",
       "Message: not JSON: parse error at line 1, column 5: syntax error while parsing object "
       "separator - unexpected end of input; expected ':'"},
      {R"({"Type": "SubscriptionConfirmation", "TopicArn": "x"})", "SubscribeURL: missing"},
      {R"({"event": "bounce", "sg_event_id": "e", "email": 5.5, "timestamp": 1})",
       "email: has to be a text"},
      {R"({"event": "bounce", "sg_event_id": "e", "email": "a", "timestamp": -1})",
       "timestamp: is not a time"},
      {R"({"event": "bounce", "sg_event_id": "e", "email": "a", "timestamp": 1e300})",
       "timestamp: is not a time"},
      {R"({"event-data": {"event": "delivered", "timestamp": 1}})",
       "event-data.recipient: missing"},
      {R"({"items": [{"event": "opened"}, {"event": "failed", "recipient": "a"}], "paging": {}})",
       "items[1].timestamp: missing"},
      {R"({"RecordType": "Bounce"})", "Type: missing"},
      {R"({"type": "Bounce", "id": "k", "queue": "", "site": "", "recipient": [], "timestamp": 1})",
       "recipient: names no recipient"},
      {R"({"v": 1, "event_id": "e"})", "time: missing"},
  };
  for (const auto& row : rows) {
    std::string problem;
    ProviderReader reader(std::nullopt, *kRules,
                          {[](const ProviderRecord&) { FAIL() << "an event"; },
                           [&](const std::string& text) { problem += text; },
                           {}});
    reader.add(row.input);
    reader.finish();
    EXPECT_EQ(problem, std::string("record 1, line 1: ") + row.want);
    EXPECT_EQ(reader.counters().bad, 1U);
    EXPECT_EQ(reader.counters().records, 1U);
  }
}

TEST(ProviderInput, TheBalanceHolds) {
  static const auto kRules = BounceRules::compile(
      *conf::parse_bounce_rules(conf::default_bounce_rules(), "built-in bounce rules"));
  int events = 0, problems = 0;
  ProviderReader reader(
      Provider::kSendgrid, *kRules,
      {[&](const ProviderRecord&) { ++events; }, [&](const std::string&) { ++problems; }, {}});
  reader.add(R"([{"event": "open"}, {"event": "delivered", "email": "a@example.net",
                 "timestamp": 5}, {"event": 1}]
                 no json
                 {"event": "click"})");
  reader.finish();
  const auto& counters = reader.counters();
  EXPECT_EQ(counters.records, 5U);
  EXPECT_EQ(counters.events, 1U);
  EXPECT_EQ(counters.ignored, 3U);  // 1 is a name, if a strange one
  EXPECT_EQ(counters.bad, 1U);
  EXPECT_EQ(events, 1);
  EXPECT_EQ(problems, 1);
}

}  // namespace
}  // namespace ipmit::events
