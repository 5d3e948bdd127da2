// SPDX-License-Identifier: Apache-2.0
// `ipmitctl parse mail --trace-keys --log`: which reports would count.
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "common/secret_box.h"
#include "events/trace_token.h"
#include "tests/unit/cli/shell.h"

namespace ipmit::cli {
namespace {

using nlohmann::json;

constexpr const char* kAt = "2026-11-25T18:00:00Z";

std::string token(const std::string& keys, const char* time) {
  events::TraceFields fields;
  fields.time = *common::parse_rfc3339(time);
  fields.client = policy::IpAddress::parse("192.0.2.7");
  fields.sasl_user = "carol";
  fields.sender_domain = "example.com";
  fields.queue_id = "4SxAAA";
  return events::seal_trace(common::SecretBox(common::KeyRing::load(keys)), fields);
}

std::string bounce(const std::string& recipient, const std::string& message_id,
                   const std::string& trace = "") {
  return "From: MAILER-DAEMON@mx.example.net\nTo: news@example.com\nSubject: Undelivered Mail\n"
         "MIME-Version: 1.0\nContent-Type: multipart/report; report-type=delivery-status; "
         "boundary=\"b\"\n\n--b\nContent-Type: message/delivery-status\n\n"
         "Reporting-MTA: dns; mx.example.net\n\nFinal-Recipient: rfc822; " +
         recipient + "\nAction: failed\nStatus: 5.1.1\n--b\nContent-Type: text/rfc822-headers\n\n" +
         (trace.empty() ? "" : "X-Ipmit-Trace: " + trace + "\n") +
         "From: news@example.com\nMessage-ID: <" + message_id + ">\nSubject: News\n\n--b--\n";
}

// Each row in the order of the mails: a token counts once, a delivery once.
TEST(ReportAttribution, SaysOfEachReportWhetherItCounts) {
  Shell shell;
  common::KeyRing::create_file(shell.path("keys"));
  common::KeyRing::create_file(shell.path("foreign"));
  shell.write(
      "mail.log",
      "2026-11-25T09:00:00Z mx postfix/smtpd[1]: 4SxBBB: client=c.example[192.0.2.8], "
      "sasl_username=dave\n"
      "2026-11-25T09:00:00Z mx postfix/cleanup[1]: 4SxBBB: message-id=<m2@example.com>\n"
      "2026-11-25T09:00:00Z mx postfix/qmgr[1]: 4SxBBB: from=<shop@example.org>, size=9, nrcpt=1 "
      "(queue active)\n"
      "2026-11-25T09:00:01Z mx postfix/smtp[1]: 4SxBBB: to=<bob@example.net>, "
      "relay=mx.example.net[198.51.100.1]:25, delay=1, delays=0/0/1/0, dsn=2.0.0, status=sent "
      "(250 ok)\n");
  const std::string fresh = token(shell.path("keys"), "2026-11-25T08:00:00Z");
  const struct {
    const char* name;
    std::string mail;
    json want;
  } rows[] = {
      {"valid",
       bounce("ann@example.net", "m1@example.com", fresh),
       {{"attribution", "token"},
        {"counts", true},
        {"client_address", "192.0.2.7"},
        {"sasl_user", "carol"},
        {"sender_domain", "example.com"}}},
      {"replayed",
       bounce("eve@example.net", "m1@example.com", fresh),
       {{"attribution", "replayed"}, {"counts", false}}},
      {"expired",
       bounce("ann@example.net", "m1@example.com",
              token(shell.path("keys"), "2026-11-01T08:00:00Z")),
       {{"attribution", "expired"}, {"counts", false}}},
      {"forged",
       bounce("ann@example.net", "m1@example.com",
              token(shell.path("foreign"), "2026-11-25T08:00:00Z")),
       {{"attribution", "forged"}, {"counts", false}, {"client_address", nullptr}}},
      {"in the log",
       bounce("Bob@example.net", "m2@example.com"),
       {{"attribution", "delivery"},
        {"counts", true},
        {"client_address", "192.0.2.8"},
        {"sasl_user", "dave"},
        {"sender_domain", "example.org"}}},
      {"in the log, a second time",
       bounce("bob@example.net", "m2@example.com"),
       {{"attribution", "replayed"}, {"counts", false}}},
      {"another recipient",
       bounce("eve@example.net", "m2@example.com"),
       {{"attribution", "unmatched"}, {"counts", false}}},
      {"nothing of the kind",
       bounce("bob@example.net", "m9@example.com"),
       {{"attribution", "unmatched"}, {"counts", false}}},
  };
  std::vector<std::string> words = {
      "parse", "mail", "--trace-keys", shell.path("keys"), "--log", shell.path("mail.log"),
      "--at",  kAt};
  for (const auto& row : rows) {
    shell.write(row.name, row.mail);
    words.push_back(shell.path(row.name));
  }
  const auto result = shell.run(words);
  EXPECT_EQ(result.err, "");
  std::istringstream lines(result.out);
  for (const auto& row : rows) {
    std::string line;
    ASSERT_TRUE(std::getline(lines, line)) << row.name;
    const json parsed = json::parse(line);
    ASSERT_EQ(parsed.at("results").size(), 1U) << row.name;
    const json& got = parsed.at("results")[0];
    for (const auto& [key, value] : row.want.items())
      EXPECT_EQ(got.contains(key) ? got.at(key) : json(), value) << row.name << ": " << key;
  }
}

TEST(ReportAttribution, WhatItNeedsIsSaid) {
  Shell shell;
  common::KeyRing::create_file(shell.path("keys"));
  EXPECT_EQ(shell.run({"parse", "mail", "--log", "/var/log/mail.log", "-"}).err,
            "ipmitctl: parse mail: --log and --at need --trace-keys, the key file of the milter\n");
  EXPECT_EQ(
      shell.run({"parse", "mail", "--trace-keys", shell.path("keys"), "--at", "noon", "-"}).err,
      "ipmitctl: parse mail: --at: wants a time such as 2026-11-25T18:00Z, has \"noon\"\n");
  EXPECT_EQ(
      shell.run({"parse", "mail", "--trace-keys", shell.path("keys"), "--log", "/none", "-"}).err,
      "ipmitctl: parse mail: --log: /none: No such file or directory\n");
  EXPECT_EQ(shell.run({"parse", "mail", "--trace-keys", "/none", "-"}).code, kEnvironment);
}

}  // namespace
}  // namespace ipmit::cli
