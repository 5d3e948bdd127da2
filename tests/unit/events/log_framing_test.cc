// SPDX-License-Identifier: Apache-2.0
#include "events/log_framing.h"

#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "events/flat_json.h"

namespace ipmit::events {
namespace {

struct Seen {
  std::string queue_id, service, host, time, text;
};

struct Reader {
  std::vector<Seen> seen;
  LogFraming framing{[this](const LogRecord& record) {
    seen.push_back({std::string(record.queue_id), std::string(record.service),
                    std::string(record.host), record.time ? common::to_rfc3339(*record.time) : "",
                    std::string(record.text)});
  }};

  void add(const std::string& line) { framing.add({line, false}); }
};

constexpr char kLine[] =
    "Nov 24 17:24:14 mx1 postfix/smtp[7]: 0F5383D: to=<\"a b\"@b.example>, relay=none, delay=1, "
    "status=bounced (no)";
constexpr char kEscaped[] =
    "Nov 24 17:24:14 mx1 postfix/smtp[7]: 0F5383D: to=<\\\"a b\\\"@b.example>, relay=none, "
    "delay=1, status=bounced (no)";

TEST(LogFraming, PassesPlainLines) {
  Reader reader;
  reader.add(kLine);
  reader.add("");
  ASSERT_EQ(reader.seen.size(), 2U);
  EXPECT_EQ(reader.seen[0].text, "no");
  EXPECT_EQ(reader.seen[0].time, "");
  EXPECT_FALSE(reader.framing.is_pending());
}

TEST(LogFraming, UnwrapsDocker) {
  Reader reader;
  const std::string tail =
      R"(\n","stream":"stdout","attrs":{"log":["}"]},"time":"2026-11-24T17:24:14.5Z"})";
  reader.add(R"({"log":")" + std::string(kEscaped) + tail);
  ASSERT_EQ(reader.seen.size(), 1U);
  EXPECT_EQ(reader.seen[0].queue_id, "0F5383D");
  EXPECT_EQ(reader.seen[0].time, "2026-11-24T17:24:14.500Z");
  // A long line comes in parts; another stream may come between.
  reader.add(R"({"log":"Nov 24 17:24:14 mx1 postfix/smtp[7]: 1F53","stream":"stdout","time":""})");
  EXPECT_TRUE(reader.framing.is_pending());
  reader.add(R"({"log":")" + std::string(kEscaped) + R"(\n","stream":"stderr","time":""})");
  reader.add(
      R"({"log":"83D: to=<a@b.example>, relay=none, delay=1, status=sent (caf\u00e9 \ud83d\ude00)\n","stream":"stdout","time":""})");
  ASSERT_EQ(reader.seen.size(), 3U);
  EXPECT_EQ(reader.seen[1].queue_id, "0F5383D");
  EXPECT_EQ(reader.seen[2].queue_id, "1F5383D");
  EXPECT_EQ(reader.seen[2].text, "caf\xc3\xa9 \xf0\x9f\x98\x80");
  EXPECT_FALSE(reader.framing.is_pending());
}

TEST(LogFraming, UnwrapsKubernetes) {
  Reader reader;
  reader.add("2026-11-24T17:24:14.123456789Z stdout F " + std::string(kLine));
  reader.add("2026-11-24T17:24:15.1+01:00 stderr P Nov 24 17:24:14 mx1 postfix/smtp[7]: 1F5");
  EXPECT_TRUE(reader.framing.is_pending());
  reader.add("2026-11-24T17:24:16Z stdout F:tag " + std::string(kLine));
  reader.add("2026-11-24T17:24:15.2+01:00 stderr F 383D: removed");
  ASSERT_EQ(reader.seen.size(), 3U);
  EXPECT_EQ(reader.seen[0].time, "2026-11-24T17:24:14.123Z");
  EXPECT_EQ(reader.seen[0].text, "no");
  EXPECT_EQ(reader.seen[1].time, "2026-11-24T17:24:16Z");
  EXPECT_EQ(reader.seen[2].queue_id, "1F5383D");
  EXPECT_EQ(reader.seen[2].time, "2026-11-24T16:24:15.200Z");
}

TEST(LogFraming, APlainRfc3339LineIsNoContainerLine) {
  Reader reader;
  reader.add("2026-11-24T17:24:14.123456+01:00 stdout postfix/qmgr[7]: 0F5383D: removed");
  ASSERT_EQ(reader.seen.size(), 1U);
  EXPECT_EQ(reader.seen[0].host, "stdout");
  EXPECT_EQ(reader.seen[0].queue_id, "0F5383D");
}

TEST(LogFraming, JoinedPartsAreBounded) {
  Reader reader;
  const std::string part = "2026-11-24T17:24:14Z stdout P " + std::string(60'000, 'x');
  for (int i = 0; i < 1000; ++i) reader.add(part);
  reader.add("2026-11-24T17:24:14Z stdout F end");
  EXPECT_EQ(reader.seen.size(), 1U);
  EXPECT_EQ(reader.framing.counters().cut, 1U);
}

TEST(LogFraming, ReadsTheJournalAsJson) {
  Reader reader;
  reader.add(R"({"__REALTIME_TIMESTAMP":"1763999054000123","_HOSTNAME":"mx1","_PID":"7",)"
             R"("SYSLOG_IDENTIFIER":"postfix/qmgr","MESSAGE":"0F5383D: removed"})");
  reader.add(R"({"_HOSTNAME":"mx1","MESSAGE":[72,105]})");
  reader.add("{broken");
  ASSERT_EQ(reader.seen.size(), 3U);
  EXPECT_EQ(reader.seen[0].queue_id, "0F5383D");
  EXPECT_EQ(reader.seen[0].service, "qmgr");
  EXPECT_EQ(reader.seen[0].host, "mx1");
  EXPECT_EQ(reader.seen[0].time, "2025-11-24T15:44:14Z");
  EXPECT_EQ(reader.framing.counters().malformed, 2U);
}

void add_bytes(Reader& reader, const std::string& bytes) {
  std::size_t begin = 0;
  for (std::size_t end; (end = bytes.find('\n', begin)) != std::string::npos; begin = end + 1) {
    reader.add(bytes.substr(begin, end - begin));
  }
}

TEST(LogFraming, ReadsTheJournalExport) {
  // The binary value's length is 10, a newline; the value holds one, and an empty line, too.
  const std::string binary = std::string("\n\0\0\0\0\0\0\0", 8) + "a\n\nMESSAGE=";
  const std::string entry =
      "__CURSOR=s=1;i=2\n__REALTIME_TIMESTAMP=1763999054000123\n_HOSTNAME=mx1\n_PID=9\n"
      "SYSLOG_IDENTIFIER=postfix/qmgr\nSYSLOG_PID=7\n_CMDLINE\n" +
      binary.substr(0, 18) + "\nMESSAGE=0F5383D: removed\n";
  Reader reader;
  add_bytes(reader, entry);
  EXPECT_TRUE(reader.framing.is_pending());
  EXPECT_TRUE(reader.seen.empty());
  add_bytes(reader, "\n" + entry + "\n" + std::string(kLine) + "\n");
  ASSERT_EQ(reader.seen.size(), 3U);
  EXPECT_EQ(reader.seen[0].queue_id, "0F5383D");
  EXPECT_EQ(reader.seen[0].service, "qmgr");
  EXPECT_EQ(reader.seen[0].time, "2025-11-24T15:44:14Z");
  EXPECT_EQ(reader.seen[2].text, "no") << "formats may follow one another";
  EXPECT_EQ(reader.framing.counters().malformed, 0U);
}

TEST(LogFraming, ABinaryMessageIsAMessage) {
  Reader reader;
  const std::string message =
      "0F5383D: to=<j\xc3\xb6rg@b.example>, relay=none, delay=1, status=sent (ok)";
  std::string length(8, '\0');
  length[0] = static_cast<char>(message.size());
  add_bytes(reader,
            "__CURSOR=x\nSYSLOG_IDENTIFIER=postfix/smtp\nMESSAGE\n" + length + message + "\n\n");
  ASSERT_EQ(reader.seen.size(), 1U);
  EXPECT_EQ(reader.seen[0].text, "ok");
}

TEST(LogFraming, ADamagedExportEndsAtItsDamage) {
  Reader reader;
  // A length that no entry has: given up at the limit, then lines are read again.
  add_bytes(reader, "__CURSOR=x\nMESSAGE\n" + std::string(8, '\x7f') + "\n");
  for (int i = 0; i < 200; ++i) reader.add(std::string(1000, 'x'));
  reader.add(kLine);
  ASSERT_FALSE(reader.seen.empty());
  EXPECT_EQ(reader.seen.back().text, "no");
  EXPECT_EQ(reader.framing.counters().malformed, 1U);
  add_bytes(reader, "__CURSOR=x\nnot a field\n");
  reader.add(kLine);
  EXPECT_EQ(reader.seen.back().text, "no");
}

TEST(LogFraming, TheEndClosesWhatIsOpen) {
  Reader reader;
  add_bytes(reader, "__CURSOR=x\nSYSLOG_IDENTIFIER=postfix/qmgr\nMESSAGE=0F5383D: removed\n");
  reader.framing.finish();
  ASSERT_EQ(reader.seen.size(), 1U);
  reader.add("2026-11-24T17:24:14Z stdout P " + std::string(kLine));
  reader.framing.finish();
  ASSERT_EQ(reader.seen.size(), 2U);
  EXPECT_FALSE(reader.framing.is_pending());
}

TEST(FlatJson, ReadsTheTopLevel) {
  struct Row {
    const char* text;
    bool whole;
    const char* members;
  };
  const Row rows[] = {
      {"{}", true, ""},
      {R"( { "a" : "b" , "c" : 12.5e3 } )", true, "a=b;c=12.5e3;"},
      {R"({"a":{"b":"}"},"c":["]",{"d":1}],"e":null,"f":true,"g":"h"})", true, "g=h;"},
      {R"({"a\"b":"\\\/\b\f\n\r\t"})", true, "a\"b=\\/\b\f\n\r\t;"},
      {R"({"a":"\u0041\ud83d\ude00\ud83d\u00e9"})", true, "a=A\xf0\x9f\x98\x80\xef\xbf\xbd;"},
      {R"({"a":"\udc00x"})", true, "a=\xef\xbf\xbdx;"},
      {R"({"a":"b")", false, "a=b;"},
      {R"({"a":"b",})", false, "a=b;"},
      {R"({"a" "b"})", false, ""},
      {R"({"a":"\x"})", false, ""},
      {R"({"a":"\u12"})", false, ""},
      {R"({"a":"b)", false, ""},
      {R"({"a":[)", false, ""},
      {R"(["a"])", false, ""},
      {"", false, ""},
  };
  std::string scratch;
  for (const Row& row : rows) {
    std::string members;
    const bool whole = read_flat_json(row.text, scratch, [&](auto key, auto value) {
      members.append(key).append("=").append(value).append(";");
    });
    EXPECT_EQ(whole, row.whole) << row.text;
    EXPECT_EQ(members, row.members) << row.text;
  }
}

TEST(FlatJson, DeepNestingCostsNothing) {
  std::string scratch;
  const std::string deep =
      "{\"a\":" + std::string(1'000'000, '[') + std::string(1'000'000, ']') + ",\"b\":\"c\"}";
  std::string found;
  EXPECT_TRUE(read_flat_json(deep, scratch, [&](auto, auto value) { found = value; }));
  EXPECT_EQ(found, "c");
}

}  // namespace
}  // namespace ipmit::events
