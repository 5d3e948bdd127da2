// SPDX-License-Identifier: Apache-2.0
#include "schema/redis_url.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace ipmit::schema {
namespace {

using Kind = RedisUrl::Kind;

TEST(RedisUrl, ReadsWhatItPrints) {
  const struct {
    const char* text;
    const char* full;
    RedisUrl want;
  } rows[] = {
      {"redis://cache", "redis://cache:6379", {Kind::kTcp, "", {{"cache", 6379}}, "", "", 0}},
      {"redis://milter@cache:1/3",
       "redis://milter@cache:1/3",
       {Kind::kTcp, "milter", {{"cache", 1}}, "", "", 3}},
      {"redis://[2001:db8::1]/",
       "redis://[2001:db8::1]:6379",
       {Kind::kTcp, "", {{"2001:db8::1", 6379}}, "", "", 0}},
      {"redis://[2001:db8::1]:65535",
       "redis://[2001:db8::1]:65535",
       {Kind::kTcp, "", {{"2001:db8::1", 65535}}, "", "", 0}},
      {"redis+unix:///run/redis/a.sock",
       "redis+unix:///run/redis/a.sock",
       {Kind::kUnix, "", {}, "/run/redis/a.sock", "", 0}},
      {"redis+unix://me@/run/a.sock?db=2",
       "redis+unix://me@/run/a.sock?db=2",
       {Kind::kUnix, "me", {}, "/run/a.sock", "", 2}},
      {"redis+sentinel://a,b:7/main",
       "redis+sentinel://a:26379,b:7/main",
       {Kind::kSentinel, "", {{"a", 26379}, {"b", 7}}, "", "main", 0}},
      {"redis+sentinel://u@a/main/4",
       "redis+sentinel://u@a:26379/main/4",
       {Kind::kSentinel, "u", {{"a", 26379}}, "", "main", 4}},
  };
  for (const auto& row : rows) {
    const auto url = parse_redis_url(row.text);
    ASSERT_TRUE(url.ok()) << row.text << ": " << url.problem();
    EXPECT_EQ(*url, row.want) << row.text;
    EXPECT_EQ(url->to_string(), row.full);
    EXPECT_EQ(*parse_redis_url(row.full), row.want) << row.full;
  }
}

TEST(RedisUrl, SaysWhatIsWrong) {
  const struct {
    const char* text;
    const char* want;
  } rows[] = {
      {"", "expected redis://"},
      {"http://cache", "expected redis://"},
      {"rediss://cache", "TLS"},
      {"redis://", "no host"},
      {"redis://:6379", "no host"},
      {"redis://cache:", "bad port"},
      {"redis://cache:0", "bad port"},
      {"redis://cache:65536", "bad port"},
      {"redis://cache:6379x", "bad port"},
      {"redis://2001:db8::1", "brackets"},
      {"redis://[2001:db8::1", "']'"},
      {"redis://[::1]6379", "bad port"},
      {"redis://ca che", "bad host"},
      {"redis://cache/x", "bad database"},
      {"redis://cache/-1", "bad database"},
      {"redis://a,b", "redis+sentinel"},
      {"redis://u:secret@cache", "password file"},
      {"redis://@cache", "no user"},
      {"redis+unix://run/a.sock", "absolute"},
      {"redis+unix:///a?x=1", "unknown option"},
      {"redis+unix:///a?db=", "bad database"},
      {"redis+sentinel://a", "no master name"},
      {"redis+sentinel://a/", "no master name"},
      {"redis+sentinel://a,/main", "no host"},
      {"redis+sentinel://a/main/x", "bad database"},
  };
  for (const auto& row : rows) {
    const auto url = parse_redis_url(row.text);
    ASSERT_FALSE(url.ok()) << row.text;
    EXPECT_THAT(url.problem(), testing::HasSubstr(row.want)) << row.text;
    EXPECT_THAT(url.problem(), testing::Not(testing::HasSubstr("secret")));
  }
}

}  // namespace
}  // namespace ipmit::schema
