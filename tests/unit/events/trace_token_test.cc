// SPDX-License-Identifier: Apache-2.0
#include "events/trace_token.h"

#include <filesystem>

#include <gtest/gtest.h>

namespace ipmit::events {
namespace {

namespace fs = std::filesystem;
using common::Duration;
using common::KeyRing;
using common::SecretBox;
using common::TimePoint;
using std::chrono::hours;

const TimePoint kNow = TimePoint(hours(500'000));
constexpr Duration kLifetime = hours(24 * 30);

class TraceToken : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (fs::temp_directory_path() / "ipmit-trace-XXXXXX").string();
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    directory_ = pattern;
    path_ = directory_ / "keys";
    KeyRing::create_file(path_);
  }
  void TearDown() override { fs::remove_all(directory_); }

  SecretBox box() const { return SecretBox(KeyRing::load(path_)); }

  fs::path directory_, path_;
};

TraceFields fields(const char* client = "203.0.113.9") {
  return {kNow, policy::IpAddress::parse(client), "alice@example.com", "example.com",
          "4bCdEf1Z9gzqYr"};
}

std::string kind(const OpenedTrace& trace) {
  const char* names[] = {"valid", "expired", "forged", "malformed"};
  return names[trace.index()];
}

TEST_F(TraceToken, ReturnsWhatWasSealed) {
  TraceFields nobody;
  nobody.time = kNow;
  for (const TraceFields& want :
       {fields(), fields("2001:db8::1"), fields("unknown"), nobody, TraceFields{}}) {
    const std::string token = seal_trace(box(), want);
    const auto got = open_trace(box(), token, want.time, kLifetime);
    ASSERT_EQ(kind(got), "valid");
    EXPECT_EQ(std::get<TraceFields>(got), want);
    EXPECT_EQ(token.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                                      "0123456789-_"),
              std::string::npos);
  }
}

TEST_F(TraceToken, SaysNothingToOthersAndIsNeverTheSame) {
  const std::string token = seal_trace(box(), fields());
  EXPECT_NE(seal_trace(box(), fields()), token);
  const auto raw = common::from_base64url(token);
  ASSERT_TRUE(raw);
  EXPECT_EQ(raw->find("alice"), std::string::npos);
}

TEST_F(TraceToken, CutsFieldsToItsLimits) {
  TraceFields want = fields("2001:db8::1");
  want.sasl_user = std::string(300, 'u');
  want.sender_domain = std::string(300, 'd');
  want.queue_id = std::string(300, 'q');
  const std::string token = seal_trace(box(), want);
  EXPECT_LE(token.size(), kMaxTraceToken);
  const auto got = open_trace(box(), token, kNow, kLifetime);
  ASSERT_EQ(kind(got), "valid");
  EXPECT_EQ(std::get<TraceFields>(got).sasl_user, std::string(255, 'u'));
  EXPECT_EQ(std::get<TraceFields>(got).sender_domain, std::string(253, 'd'));
  EXPECT_EQ(std::get<TraceFields>(got).queue_id, std::string(64, 'q'));
}

TEST_F(TraceToken, ExpiresAfterItsLifetime) {
  const std::string token = seal_trace(box(), fields());
  EXPECT_EQ(kind(open_trace(box(), token, kNow + kLifetime, kLifetime)), "valid");
  const auto late = open_trace(box(), token, kNow + kLifetime + Duration(1), kLifetime);
  ASSERT_EQ(kind(late), "expired");
  EXPECT_EQ(std::get<TraceExpired>(late).fields, fields());
  EXPECT_EQ(kind(open_trace(box(), token, kNow - hours(1), kLifetime)), "valid");
}

TEST_F(TraceToken, SurvivesAnyFolding) {
  const std::string token = seal_trace(box(), fields());
  std::string scattered;
  for (const char c : token) scattered.append(1, c).append(" \r\n\t");
  for (const std::string& value : {fold_trace(token), " " + token + "\r\n", scattered})
    EXPECT_EQ(kind(open_trace(box(), value, kNow, kLifetime)), "valid") << value;
}

TEST_F(TraceToken, FoldsToLinesThatMailCarries) {
  for (const std::size_t size : {1U, 62U, 63U, 64U, 140U, 141U, 863U}) {
    const std::string header =
        std::string(kTraceHeader) + ": " + fold_trace(std::string(size, 'x')) + "\n";
    std::size_t start = 0, payload = 0;
    for (std::size_t end = 0; (end = header.find('\n', start)) != std::string::npos;
         start = end + 1) {
      const std::string line = header.substr(start, end - start);
      EXPECT_LE(line.size(), 78U) << size;
      EXPECT_GT(line.size(), 1U) << size;
      EXPECT_TRUE(start == 0 || line.front() == '\t') << size;
      payload += start == 0 ? line.size() - kTraceHeader.size() - 2 : line.size() - 1;
    }
    EXPECT_EQ(payload, size);
  }
}

TEST_F(TraceToken, KnowsForgedFromMalformed) {
  const std::string token = seal_trace(box(), fields());
  std::string changed = token;
  changed[80] = changed[80] == 'A' ? 'B' : 'A';
  EXPECT_EQ(kind(open_trace(box(), changed, kNow, kLifetime)), "forged");
  KeyRing::create_file(directory_ / "others");
  const SecretBox others(KeyRing::load(directory_ / "others"));
  EXPECT_EQ(kind(open_trace(others, token, kNow, kLifetime)), "forged") << "same id, other key";
  EXPECT_EQ(
      kind(open_trace(box(), common::to_base64url(box().seal("x", "other use")), kNow, kLifetime)),
      "forged");

  for (const std::string& bad : {std::string(), std::string("hello"), std::string("\xff\xfe"),
                                 token.substr(0, 40), token + "!", token + "=",
                                 std::string(kMaxTraceToken + 1, 'A'), std::string(1'000'000, 'A')})
    EXPECT_EQ(kind(open_trace(box(), bad, kNow, kLifetime)), "malformed") << bad.substr(0, 50);
  // Sealed by us, but not these fields: a later version of this program.
  for (const std::string_view plain : {"\x02", "\x01",
                                       "\x01"
                                       "123456",
                                       "\x01"
                                       "123456\x03"
                                       "abc"})
    EXPECT_EQ(kind(open_trace(box(), common::to_base64url(box().seal(plain, kTraceHeader)), kNow,
                              kLifetime)),
              "malformed");
}

TEST_F(TraceToken, OutlivesTheRotationOfItsKey) {
  const std::string token = seal_trace(box(), fields());
  KeyRing::rotate_file(path_, 2);
  EXPECT_EQ(kind(open_trace(box(), token, kNow, kLifetime)), "valid");
  EXPECT_NE(seal_trace(box(), fields()).substr(0, 4), token.substr(0, 4)) << "another key id";
  KeyRing::rotate_file(path_, 2);
  EXPECT_EQ(kind(open_trace(box(), token, kNow, kLifetime)), "forged");
}

}  // namespace
}  // namespace ipmit::events
