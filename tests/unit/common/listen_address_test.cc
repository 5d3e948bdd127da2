// SPDX-License-Identifier: Apache-2.0
#include "common/listen_address.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>

namespace ipmit::common {
namespace {

TEST(ListenAddress, AcceptsWhatPostfixCallsTheSame) {
  const struct {
    const char* text;
    const char* path;
    int family;
    int port;
  } rows[] = {
      {"unix:/run/ipmit/m", "/run/ipmit/m", 0, 0},
      {"local:/m", "/m", 0, 0},
      {"inet:127.0.0.1:8890", "", AF_INET, 8890},
      {"inet:[127.0.0.1]:8890", "", AF_INET, 8890},
      {"inet:8890", "", AF_INET, 8890},
      {"inet::0", "", AF_INET, 0},
      {"inet6:[::1]:65535", "", AF_INET6, 65535},
      {"inet6:2001:db8::1:8890", "", AF_INET6, 8890},
  };
  for (const auto& row : rows) {
    const auto got = parse_listen_address(row.text);
    ASSERT_TRUE(got) << row.text << ": " << got.problem();
    EXPECT_EQ(got->path, row.path) << row.text;
    if (row.family == 0) continue;
    EXPECT_EQ(got->address.ss_family, row.family) << row.text;
    EXPECT_EQ(ntohs(reinterpret_cast<const sockaddr_in*>(&got->address)->sin_port), row.port)
        << row.text;
  }
}

TEST(ListenAddress, RefusesWithAReason) {
  const struct {
    std::string text;
    const char* reason;
  } rows[] = {
      {"", "is not unix:"},
      {"/run/m", "is not unix:"},
      {"tcp:127.0.0.1:1", "is not unix:"},
      {"unix:", "must be absolute"},
      {"unix:ipmit/m", "must be absolute"},
      {"unix:/run/ipmit/", "is a directory"},
      {"unix:/" + std::string(107, 'x'), "too long: 108"},
      {"unix:/" + std::string(95, 'd') + "/m", "too long"},
      {"inet:localhost:25", "not a numeric IPv4 address"},
      {"inet:127.0.0.1:", "not a port number"},
      {"inet:127.0.0.1:65536", "not a port number"},
      {"inet:127.0.0.1:2x", "not a port number"},
      {"inet6:[203.0.113.1]:25", "not a numeric IPv6 address"},
  };
  for (const auto& row : rows) {
    const auto got = parse_listen_address(row.text);
    ASSERT_FALSE(got) << row.text;
    EXPECT_NE(got.problem().find(row.reason), std::string::npos) << got.problem();
  }
}

TEST(ListenAddress, TheLongestPathsFit) {
  EXPECT_TRUE(parse_listen_address("unix:/" + std::string(106, 'x')));
  EXPECT_TRUE(parse_listen_address("unix:/" + std::string(93, 'd') + "/m"));
}

}  // namespace
}  // namespace ipmit::common
