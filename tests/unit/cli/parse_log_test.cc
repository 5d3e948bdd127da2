// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "tests/unit/cli/shell.h"

namespace ipmit::cli {
namespace {

using nlohmann::json;

constexpr char kLog[] =
    "Nov 24 17:24:14 mx1 postfix/smtpd[5]: 0F5383D: client=c.example[198.51.100.7]\n"
    "Nov 24 17:24:14 mx1 postfix/qmgr[7]: 0F5383D: from=<s@a.example>, size=263, nrcpt=1 (queue "
    "active)\n"
    "\n"
    "Nov 24 17:24:15 mx1 postfix/smtp[8]: 0F5383D: to=<r@b.example>, relay=none, delay=1, "
    "dsn=5.4.4, status=bounced (no such host)\n"
    "Nov 24 17:24:16 mx1 postfix/qmgr[7]: 0F5383D: removed";

std::vector<json> rows(const std::string& text) {
  std::vector<json> found;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) found.push_back(json::parse(line));
  return found;
}

TEST(ParseLog, PrintsDeliveryEvents) {
  Shell shell;
  const auto result = shell.run_plain({"parse", "log", "--zone", "+01:00"}, kLog);
  EXPECT_EQ(result.code, kOk);
  EXPECT_EQ(result.err, "");
  const auto events = rows(result.out);
  ASSERT_EQ(events.size(), 1U);
  EXPECT_EQ(events[0].at("queueid"), "0F5383D");
  EXPECT_EQ(events[0].at("sender"), "s@a.example");
  EXPECT_EQ(events[0].at("client_address"), "198.51.100.7");
  EXPECT_EQ(events[0].at("status"), "bounced");
  EXPECT_EQ(events[0].at("time"), "2026-11-24T16:24:15Z");
  EXPECT_EQ(events[0].at("line"), 4);
}

TEST(ParseLog, PrintsARecordForEachLine) {
  Shell shell;
  const auto records = rows(shell.run_plain({"parse", "log", "--lines"}, kLog).out);
  ASSERT_EQ(records.size(), 5U);
  EXPECT_EQ(records[0].at("kind"), "client");
  EXPECT_EQ(records[1].at("kind"), "queue_active");
  EXPECT_EQ(records[2], json::parse(R"({"kind":"other"})"));
  EXPECT_EQ(records[3].at("kind"), "delivery");
  EXPECT_EQ(records[3].at("timestamp"), "Nov 24 17:24:15");
  EXPECT_EQ(records[3].at("pid"), 8);
  EXPECT_EQ(records[4].at("kind"), "removed");
}

TEST(ParseLog, TheYearMayBeGiven) {
  Shell shell;
  const auto result = shell.run_plain({"parse", "log", "--zone", "Z", "--year", "2019"}, kLog);
  EXPECT_EQ(rows(result.out).at(0).at("time"), "2019-11-24T17:24:15Z");
}

TEST(ParseLog, WarnsOfWhatItLeavesOut) {
  Shell shell;
  const auto result = shell.run_plain(
      {"parse", "log"}, std::string(100'000, 'x') + "\n0F5383D: removed\n{\"log\":\n");
  EXPECT_EQ(result.code, kOk);
  EXPECT_EQ(result.out, "");
  EXPECT_NE(result.err.find("1 lines were longer than 64 KiB"), std::string::npos) << result.err;
  EXPECT_NE(result.err.find("1 Postfix lines had no readable time"), std::string::npos);
  EXPECT_NE(result.err.find("1 container or journal entries were malformed"), std::string::npos);
}

TEST(ParseLog, RefusesABadZone) {
  Shell shell;
  for (const char* zone : {"CET", "+1", "+25:00", "+01:60", "01:00", "+01:0x"}) {
    const auto result = shell.run_plain({"parse", "log", std::string("--zone=") + zone}, kLog);
    EXPECT_EQ(result.code, kBadInput) << zone;
    EXPECT_NE(result.err.find(zone), std::string::npos) << result.err;
  }
}

}  // namespace
}  // namespace ipmit::cli
