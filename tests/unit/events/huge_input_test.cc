// SPDX-License-Identifier: Apache-2.0
// Input far beyond every limit, made on the fly: it is cut, told, and costs no memory.
#include <gtest/gtest.h>
#include <sys/resource.h>

#include "conf/bounce_rules.h"
#include "events/log_lines.h"
#include "events/log_pipeline.h"
#include "events/mail_cutter.h"
#include "events/mail_report.h"
#include "events/mime_part.h"
#include "events/provider/provider_events.h"

namespace ipmit::events {
namespace {

constexpr std::size_t kPiece = 64 * 1024;
constexpr std::size_t kGigabyte = std::size_t{1} << 30;

const BounceRules& rules() {
  static const auto kRules = BounceRules::compile(
      *conf::parse_bounce_rules(conf::default_bounce_rules(), "built-in bounce rules"));
  return *kRules;
}

// How much the process has grown at its highest, in KiB, while this lived.
class Growth {
 public:
  Growth() : before_(peak()) {}
  long kib() const { return peak() - before_; }

 private:
  static long peak() {
    struct rusage usage {};
    getrusage(RUSAGE_SELF, &usage);
    return usage.ru_maxrss;
  }
  long before_;
};

std::string bounce_head() {
  return "From: MAILER-DAEMON@mx.example.net\nTo: news@example.com\nSubject: Undelivered Mail\n"
         "MIME-Version: 1.0\nContent-Type: multipart/report; report-type=delivery-status; "
         "boundary=\"b\"\n\n--b\nContent-Type: message/delivery-status\n\n"
         "Reporting-MTA: dns; mx.example.net\n\nFinal-Recipient: rfc822; ann@example.org\n"
         "Action: failed\nStatus: 5.1.1\nDiagnostic-Code: smtp; 550 5.1.1 user unknown\n";
}

// A report whose parts come before what is too much is still read.
void expect_read_and_cut(const std::string& mail) {
  const MailReport report = parse_mail(mail, rules());
  EXPECT_TRUE(report.cut);
  ASSERT_EQ(report.results.size(), 1U);
  EXPECT_EQ(report.results[0].recipient, "ann@example.org");
  EXPECT_TRUE(report.results[0].hard);
}

TEST(HugeInput, AMailOf64MiB) {
  expect_read_and_cut(bounce_head() + "--b\n\n" + std::string(64u << 20, 'x') + "\n--b--\n");
}

TEST(HugeInput, AMailOfAMillionParts) {
  std::string mail = bounce_head();
  for (int i = 0; i < 1'000'000; ++i) mail += "--b\n\nx\n";
  expect_read_and_cut(mail);
}

TEST(HugeInput, AMailOfPartsAThousandDeep) {
  std::string mail = bounce_head();
  std::string outer = "b";
  for (int i = 0; i < 1000; ++i) {
    const std::string inner = "b" + std::to_string(i);
    mail += "--" + outer + "\nContent-Type: multipart/mixed; boundary=\"" + inner + "\"\n\n";
    outer = inner;
  }
  expect_read_and_cut(mail);
}

TEST(HugeInput, AMailOfNuls) {
  const MailReport report = parse_mail(std::string(8u << 20, '\0'), rules());
  EXPECT_TRUE(report.cut);
  EXPECT_TRUE(report.results.empty());
  std::string holes = bounce_head();
  for (std::size_t i = 0; i < holes.size(); i += 7) holes.insert(i, 1, '\0');
  EXPECT_FALSE(parse_mail(holes, rules()).cut);
}

TEST(HugeInput, AMailThatIsALineOfAGigabyte) {
  const std::string piece(kPiece, 'x');
  int mails = 0;
  const Growth growth;
  MailCutter cutter([&](std::string_view mail) {
    ++mails;
    EXPECT_EQ(mail.size(), kMaxMailBytes + 1);
    EXPECT_TRUE(parse_mail(mail, rules()).cut);
  });
  for (std::size_t sent = 0; sent < kGigabyte; sent += kPiece) cutter.add(piece);
  cutter.finish();
  EXPECT_EQ(mails, 1);
  EXPECT_LT(growth.kib(), 128 * 1024);
}

TEST(HugeInput, ALogThatIsALineOfAGigabyte) {
  std::size_t sent = 0;
  const Growth growth;
  LineCutter cutter([&](char* buffer, std::size_t size) {
    const std::size_t count = std::min(size, kGigabyte - sent);
    std::fill_n(buffer, count, 'x');
    sent += count;
    return count;
  });
  int events = 0;
  LogPipeline pipeline({}, [&](const DeliveryEvent&) { ++events; });
  while (const auto line = cutter.next()) pipeline.add(*line);
  if (const auto line = cutter.rest()) pipeline.add(*line);
  pipeline.finish();
  EXPECT_EQ(sent, kGigabyte);
  EXPECT_EQ(cutter.cut_lines(), 1U);
  EXPECT_EQ(events, 0);
  EXPECT_LT(growth.kib(), 64 * 1024);
}

TEST(HugeInput, AProviderRecordOf256MiB) {
  const std::string piece(kPiece, 'x');
  std::vector<std::string> problems;
  const Growth growth;
  ProviderReader reader(std::nullopt, rules(),
                        {[](const ProviderRecord&) { ADD_FAILURE() << "an event"; },
                         [&](const std::string& problem) { problems.push_back(problem); },
                         {}});
  reader.add("{\"email\": \"");
  for (std::size_t sent = 0; sent < kGigabyte / 4; sent += kPiece) reader.add(piece);
  reader.add("\"}\n");
  reader.finish();
  EXPECT_EQ(problems,
            std::vector<std::string>{"record 1, line 1: the record is longer than 4 MiB"});
  EXPECT_LT(growth.kib(), 64 * 1024);
}

}  // namespace
}  // namespace ipmit::events
