// SPDX-License-Identifier: Apache-2.0
#include "policy/envelope.h"

#include <gtest/gtest.h>

namespace ipmit::policy {
namespace {

TEST(EnvelopeAddress, TakesArgumentsApart) {
  const struct {
    const char* name;
    std::string_view argument;
    const char* local_part;
    const char* domain;
  } kRows[] = {
      {"usual", "<alice@example.com>", "alice", "example.com"},
      {"no brackets, as from local pickup", "alice@example.com", "alice", "example.com"},
      {"blanks around", " < alice@example.com > ", "alice", "example.com"},
      {"only the closing bracket", "alice@example.com>", "alice", "example.com"},
      {"only the opening bracket", "<alice@example.com", "alice", "example.com"},
      {"case of the local part stays", "<Alice@EXAMPLE.COM>", "Alice", "example.com"},
      {"trailing dot", "<alice@example.com.>", "alice", "example.com"},
      {"source route", "<@a.example,@b.example:alice@example.com>", "alice", "example.com"},
      {"source route with IPv6 literal", "<@[IPv6:2001:db8::1]:alice@example.com>", "alice",
       "example.com"},
      {"route without an end", "<@example.com>", "", "example.com"},
      {"quoted local part", "<\"al ice\"@example.com>", "al ice", "example.com"},
      {"at sign in quotes", "<\"a@b\"@example.com>", "a@b", "example.com"},
      {"at sign without quotes", "<a@b@example.com>", "a@b", "example.com"},
      {"escaped quote", "<\"a\\\"b@c\"@example.com>", "a\"b@c", "example.com"},
      {"escaped at sign", "<a\\@b@example.com>", "a@b", "example.com"},
      {"a quote never closed hides nothing", "<\"alice@example.com>", "alice", "example.com"},
      {"at sign only in quotes", "<\"alice@example.com\">", "alice@example.com", ""},
      {"empty quotes", "<\"\"@example.com>", "", "example.com"},
      {"UTF-8 on both sides", "<j\u00fcrgen@b\u00fccher.example>", "j\u00fcrgen",
       "xn--bcher-kva.example"},
      {"A-label", "<alice@xn--bcher-kva.example>", "alice", "xn--bcher-kva.example"},
      {"address literal", "<alice@[203.0.113.9]>", "alice", "[203.0.113.9]"},
      {"IPv6 literal", "<alice@[IPv6:2001:DB8::1]>", "alice", "[IPv6:2001:db8::1]"},
      {"no domain", "<alice>", "alice", ""},
      {"empty domain", "<alice@>", "alice", ""},
      {"invalid domain", "<alice@exa mple.com>", "alice", ""},
      {"backslash at the end", "<alice\\", "alice\\", ""},
  };
  for (const auto& row : kRows) {
    SCOPED_TRACE(row.name);
    const auto got = EnvelopeAddress::parse(row.argument);
    EXPECT_EQ(got.local_part(), row.local_part);
    EXPECT_EQ(got.domain(), row.domain);
    EXPECT_FALSE(got.is_null());
  }
}

TEST(EnvelopeAddress, KnowsTheNullSender) {
  for (const char* argument : {"<>", "", " ", "< >", " <> ", "<\"\">", "<", ">"}) {
    const auto got = EnvelopeAddress::parse(argument);
    EXPECT_TRUE(got.is_null()) << argument;
    EXPECT_EQ(got.domain(), "");
    EXPECT_EQ(got.to_string(), "<>");
  }
  EXPECT_TRUE(EnvelopeAddress().is_null());
}

TEST(EnvelopeAddress, KnowsPostmaster) {
  for (const char* argument :
       {"<postmaster>", "<Postmaster@example.com>", "POSTMASTER", "<\"postmaster\"@example.com>"})
    EXPECT_TRUE(EnvelopeAddress::parse(argument).is_postmaster()) << argument;
  for (const char* argument : {"<>", "<postmaster2@example.com>", "<a.postmaster@example.com>"})
    EXPECT_FALSE(EnvelopeAddress::parse(argument).is_postmaster()) << argument;
}

TEST(EnvelopeAddress, PrintsForLogs) {
  EXPECT_EQ(EnvelopeAddress::parse("<Alice@Example.COM>").to_string(), "Alice@example.com");
  EXPECT_EQ(EnvelopeAddress::parse("<alice>").to_string(), "alice");
  EXPECT_EQ(EnvelopeAddress::parse("<@example.com>").to_string(), "@example.com");
}

}  // namespace
}  // namespace ipmit::policy
