// SPDX-License-Identifier: Apache-2.0
#include "policy/ip_address.h"

#include <cstring>

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

namespace ipmit::policy {
namespace {

TEST(IpAddress, ParsesWhatMailSystemsWrite) {
  const struct {
    const char* name;
    std::string_view text;
    const char* want;  // null: refused
  } kRows[] = {
      {"IPv4", "203.0.113.9", "203.0.113.9"},
      {"lowest IPv4", "0.0.0.0", "0.0.0.0"},
      {"highest IPv4", "255.255.255.255", "255.255.255.255"},
      {"IPv4 in brackets", "[203.0.113.9]", "203.0.113.9"},
      {"IPv6", "2001:db8::1", "2001:db8::1"},
      {"IPv6 in capitals, written out", "2001:0DB8:0:0:0:0:0:1", "2001:db8::1"},
      {"longest run of zeros is cut, first of equals", "2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"},
      {"a single zero is not cut", "2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"},
      {"IPv6 in brackets", "[2001:db8::1]", "2001:db8::1"},
      {"Postfix's tag", "IPv6:2001:db8::1", "2001:db8::1"},
      {"tag in another case", "ipv6:2001:db8::1", "2001:db8::1"},
      {"tag in brackets", "[IPv6:2001:db8::1]", "2001:db8::1"},
      {"IPv6 loopback", "::1", "::1"},
      {"any IPv6", "::", "::"},
      {"zeros at the end", "2001:db8:0:0:0:0:0:0", "2001:db8::"},
      {"one zero at the end", "2001:db8:1:1:1:1:1:0", "2001:db8:1:1:1:1:1:0"},
      {"two zeros in front", "0:0:1:1:1:1:1:1", "::1:1:1:1:1:1"},
      {"the longer run is cut, though second", "1:0:0:1:0:0:0:1", "1:0:0:1::1"},
      {"longest text", "2001:db8:1111:2222:3333:4444:5555:6666",
       "2001:db8:1111:2222:3333:4444:5555:6666"},
      {"mapped is IPv4", "::ffff:203.0.113.9", "203.0.113.9"},
      {"mapped in hexadecimal", "::ffff:cb00:7109", "203.0.113.9"},
      {"mapped with tag", "IPv6:::ffff:203.0.113.9", "203.0.113.9"},
      {"almost mapped", "::fffe:203.0.113.9", "::fffe:cb00:7109"},
      {"empty", "", nullptr},
      {"Postfix's word for no address", "unknown", nullptr},
      {"zone id", "fe80::1%eth0", nullptr},
      {"leading zero", "203.0.113.09", nullptr},
      {"octal", "0313.0.113.9", nullptr},
      {"too big a part", "203.0.113.256", nullptr},
      {"three parts", "203.0.113", nullptr},
      {"five parts", "203.0.113.9.1", nullptr},
      {"a number", "3405803785", nullptr},
      {"hexadecimal", "0xcb.0.113.9", nullptr},
      {"blank before", " 203.0.113.9", nullptr},
      {"blank behind", "203.0.113.9 ", nullptr},
      {"port", "203.0.113.9:25", nullptr},
      {"prefix", "203.0.113.0/24", nullptr},
      {"tag before IPv4", "IPv6:203.0.113.9", nullptr},
      {"tag alone", "IPv6:", nullptr},
      {"tag twice", "IPv6:IPv6:::1", nullptr},
      {"only one bracket", "[203.0.113.9", nullptr},
      {"brackets twice", "[[203.0.113.9]]", nullptr},
      {"empty brackets", "[]", nullptr},
      {"nine groups", "1:2:3:4:5:6:7:8:9", nullptr},
      {"two gaps", "2001::db8::1", nullptr},
      {"group of five digits", "2001:00db8::1", nullptr},
      {"a byte of zero inside", std::string_view("203.0.113.9\0", 12), nullptr},
      {"longer than any address", "2001:db8:1111:2222:3333:4444:5555:6666:7777:8888:9999", nullptr},
  };
  for (const auto& row : kRows) {
    SCOPED_TRACE(row.name);
    const auto got = IpAddress::parse(row.text);
    ASSERT_EQ(got.has_value(), row.want != nullptr);
    if (!got) continue;
    EXPECT_EQ(got->to_string(), row.want);
    EXPECT_EQ(IpAddress::parse(got->to_string()), got);
  }
}

TEST(IpAddress, TakesSocketAddresses) {
  sockaddr_in in{};
  in.sin_family = AF_INET;
  inet_pton(AF_INET, "203.0.113.9", &in.sin_addr);  // port 0, as local pickup mail has
  sockaddr_in6 in6{};
  in6.sin6_family = AF_INET6;
  in6.sin6_port = htons(25);
  in6.sin6_scope_id = 2;
  inet_pton(AF_INET6, "2001:db8::1", &in6.sin6_addr);
  sockaddr_in6 mapped = in6;
  inet_pton(AF_INET6, "::ffff:203.0.113.9", &mapped.sin6_addr);
  sockaddr_un local{};
  local.sun_family = AF_UNIX;
  sockaddr none{};
  none.sa_family = AF_UNSPEC;

  const auto text = [](const void* address) {
    const auto got = IpAddress::from_sockaddr(static_cast<const sockaddr*>(address));
    return got ? got->to_string() : "none";
  };
  EXPECT_EQ(text(&in), "203.0.113.9");
  EXPECT_EQ(text(&in6), "2001:db8::1");
  EXPECT_EQ(text(&mapped), "203.0.113.9");
  EXPECT_EQ(text(&local), "none");
  EXPECT_EQ(text(&none), "none");
  EXPECT_EQ(text(nullptr), "none");
}

TEST(IpAddress, KnowsLoopback) {
  const struct {
    const char* text;
    bool want;
  } kRows[] = {{"127.0.0.1", true},  {"127.255.255.255", true}, {"::1", true},
               {"126.0.0.1", false}, {"128.0.0.1", false},      {"::2", false},
               {"::", false},        {"::ffff:127.0.0.1", true}};
  for (const auto& row : kRows)
    EXPECT_EQ(IpAddress::parse(row.text)->is_loopback(), row.want) << row.text;
}

TEST(IpAddress, GivesItsBitsInHostOrder) {
  const auto v4 = *IpAddress::parse("203.0.113.9");
  EXPECT_EQ(v4.v4_value(), 0xcb007109u);
  EXPECT_EQ(v4.low(), 0x0000ffffcb007109u);
  EXPECT_EQ(v4.width(), 32);
  const auto v6 = *IpAddress::parse("2001:db8:1:2:3:4:5:6");
  EXPECT_EQ(v6.high(), 0x20010db800010002u);
  EXPECT_EQ(v6.low(), 0x0003000400050006u);
  EXPECT_EQ(v6.width(), 128);
}

TEST(IpPrefix, ParsesRangesAndSaysWhatIsWrong) {
  const struct {
    const char* name;
    std::string_view text;
    const char* want;     // null: refused
    const char* problem;  // part of the reason
  } kRows[] = {
      {"IPv4 range", "203.0.113.0/24", "203.0.113.0/24", nullptr},
      {"IPv4 alone", "203.0.113.9", "203.0.113.9", nullptr},
      {"/32 is an address", "203.0.113.9/32", "203.0.113.9", nullptr},
      {"/31", "203.0.113.8/31", "203.0.113.8/31", nullptr},
      {"/1", "128.0.0.0/1", "128.0.0.0/1", nullptr},
      {"IPv6 range", "2001:DB8::/32", "2001:db8::/32", nullptr},
      {"IPv6 /64", "2001:db8:0:1::/64", "2001:db8:0:1::/64", nullptr},
      {"IPv6 /65", "2001:db8:0:1:8000::/65", "2001:db8:0:1:8000::/65", nullptr},
      {"IPv6 /128 is an address", "2001:db8::1/128", "2001:db8::1", nullptr},
      {"as Postfix writes it", "[2001:db8::]/32", "2001:db8::/32", nullptr},
      {"mapped range", "::ffff:203.0.113.0/120", "203.0.113.0/24", nullptr},
      {"host bits", "203.0.113.9/24", nullptr, "did you mean 203.0.113.0/24?"},
      {"IPv6 host bits", "2001:db8::1/64", nullptr, "did you mean 2001:db8::/64?"},
      {"host bit at the edge", "203.0.113.9/31", nullptr, "did you mean 203.0.113.8/31?"},
      {"everything", "0.0.0.0/0", nullptr, "every address"},
      {"every IPv6 address", "::/0", nullptr, "every address"},
      {"every mapped address", "::ffff:0.0.0.0/96", nullptr, "every address"},
      {"mapped, cut too short", "::ffff:203.0.113.0/24", nullptr, "from 1 to 128"},
      {"too long", "203.0.113.0/33", nullptr, "from 1 to 32"},
      {"too long for IPv6", "2001:db8::/129", nullptr, "from 1 to 128"},
      {"no length", "203.0.113.0/", nullptr, "from 1 to 32"},
      {"sign", "203.0.113.0/+24", nullptr, "from 1 to 32"},
      {"negative", "203.0.113.0/-1", nullptr, "from 1 to 32"},
      {"leading zero", "203.0.113.0/024", nullptr, "from 1 to 32"},
      {"netmask", "203.0.113.0/255.255.255.0", nullptr, "from 1 to 32"},
      {"two slashes", "203.0.113.0/24/24", nullptr, "from 1 to 32"},
      {"beyond any number", "203.0.113.0/99999999999999999999", nullptr, "from 1 to 32"},
      {"no address", "/24", nullptr, "not an IP address or range"},
      {"a name", "mail.example.com", nullptr, "not an IP address or range"},
      {"empty", "", nullptr, "not an IP address or range"},
      {"zone id", "fe80::%1/64", nullptr, "not an IP address or range"},
  };
  for (const auto& row : kRows) {
    SCOPED_TRACE(row.name);
    const auto got = IpPrefix::parse(row.text);
    ASSERT_EQ(got.ok(), row.want != nullptr);
    if (got) {
      EXPECT_EQ(got->to_string(), row.want);
      EXPECT_EQ(*IpPrefix::parse(got->to_string()), *got);
    } else {
      EXPECT_NE(got.problem().find(row.problem), std::string::npos) << got.problem();
    }
  }
}

TEST(IpPrefix, ContainsAddressesAndPrefixes) {
  const struct {
    const char* name;
    const char* prefix;
    const char* other;
    bool want;
  } kRows[] = {
      {"first address", "203.0.113.0/24", "203.0.113.0", true},
      {"last address", "203.0.113.0/24", "203.0.113.255", true},
      {"one below", "203.0.113.0/24", "203.0.112.255", false},
      {"one above", "203.0.113.0/24", "203.0.114.0", false},
      {"itself", "203.0.113.0/24", "203.0.113.0/24", true},
      {"longer inside", "203.0.113.0/24", "203.0.113.128/25", true},
      {"shorter around", "203.0.113.0/24", "203.0.112.0/23", false},
      {"mapped client", "203.0.113.0/24", "::ffff:203.0.113.9", true},
      {"IPv6 with the same bits", "203.0.113.0/24", "cb00:7100::", false},
      {"IPv4 in an IPv6 range", "::/1", "203.0.113.9", false},
      {"IPv6 /64 first", "2001:db8:0:1::/64", "2001:db8:0:1::", true},
      {"IPv6 /64 last", "2001:db8:0:1::/64", "2001:db8:0:1:ffff:ffff:ffff:ffff", true},
      {"IPv6 /64 one above", "2001:db8:0:1::/64", "2001:db8:0:2::", false},
      {"IPv6 /65 other half", "2001:db8::/65", "2001:db8::8000:0:0:0", false},
      {"IPv6 address", "2001:db8::1", "2001:db8::1", true},
      {"IPv6 neighbour", "2001:db8::1", "2001:db8::2", false},
  };
  for (const auto& row : kRows) {
    SCOPED_TRACE(row.name);
    const auto prefix = *IpPrefix::parse(row.prefix);
    const auto other = *IpPrefix::parse(row.other);
    EXPECT_EQ(prefix.contains(other), row.want);
    if (other.length() == other.address().width()) {
      EXPECT_EQ(prefix.contains(other.address()), row.want);
    }
    EXPECT_EQ(prefix.overlaps(other), row.want || other.contains(prefix));
  }
}

TEST(IpPrefix, OfCutsAndClampsTheLength) {
  const auto v4 = *IpAddress::parse("203.0.113.9");
  EXPECT_EQ(IpPrefix::of(v4, 24).to_string(), "203.0.113.0/24");
  EXPECT_EQ(IpPrefix::of(v4, 64).to_string(), "203.0.113.9");
  EXPECT_EQ(IpPrefix::of(v4, 0).to_string(), "0.0.0.0/0");
  EXPECT_TRUE(IpPrefix::of(v4, 0).contains(v4));
  const auto v6 = *IpAddress::parse("2001:db8:1:2:3:4:5:6");
  EXPECT_EQ(IpPrefix::of(v6, 64).to_string(), "2001:db8:1:2::/64");
  EXPECT_EQ(IpPrefix::of(v6, 47).to_string(), "2001:db8::/47");
  EXPECT_EQ(IpPrefix::of(*IpAddress::parse("::fffe:1.2.3.4"), 96).is_v4(), false);
}

}  // namespace
}  // namespace ipmit::policy
