// SPDX-License-Identifier: Apache-2.0
#include "policy/domain_name.h"

#include <gtest/gtest.h>

namespace ipmit::policy {
namespace {

std::string repeated(const std::string& text, int times) {
  std::string all;
  for (int i = 0; i < times; ++i) all += text;
  return all;
}

std::string without_dot(const std::string& text) {
  return text.back() == '.' ? text.substr(0, text.size() - 1) : text;
}

TEST(DomainName, MakesOneKeyOfEverySpelling) {
  const std::string label63(63, 'a');
  const std::string name253 = repeated(label63 + '.', 3) + std::string(61, 'b');
  const struct {
    const char* name;
    std::string text;
    const char* want;     // null: as written, without a dot at the end
    const char* problem;  // part of the reason it is refused for
  } kRows[] = {
      {"plain", "example.com", "example.com", nullptr},
      {"capitals", "EXAMPLE.Com", "example.com", nullptr},
      {"trailing dot", "example.com.", "example.com", nullptr},
      {"one label", "localhost", "localhost", nullptr},
      {"underscore", "_dmarc.example.com", "_dmarc.example.com", nullptr},
      {"hyphens", "a--b-.example.com", "a--b-.example.com", nullptr},
      {"digits, as in an address without brackets", "203.0.113.9", "203.0.113.9", nullptr},
      {"A-label stays", "xn--bcher-kva.example", "xn--bcher-kva.example", nullptr},
      {"A-label in capitals", "XN--BCHER-KVA.example", "xn--bcher-kva.example", nullptr},
      {"U-label", "b\u00fccher.example", "xn--bcher-kva.example", nullptr},
      {"U-label in capitals", "B\u00dcCHER.example", "xn--bcher-kva.example", nullptr},
      {"U-label, decomposed", "bu\u0308cher.example", "xn--bcher-kva.example", nullptr},
      {"U-label with trailing dot", "b\u00fccher.example.", "xn--bcher-kva.example", nullptr},
      {"ideographic full stops", "b\u00fccher\u3002example\u3002", "xn--bcher-kva.example",
       nullptr},
      {"full-width letters", "\uff45xample.com", "example.com", nullptr},
      {"sharp s stays, as in Postfix's DNS look-ups", "stra\u00dfe.example",
       "xn--strae-oqa.example", nullptr},
      {"a symbol", "i\u2764.example", "xn--i-7iq.example", nullptr},
      {"label of 63", label63 + ".example", nullptr, nullptr},
      {"name of 253", name253, nullptr, nullptr},
      {"name of 253 and a dot", name253 + '.', nullptr, nullptr},
      {"IPv4 literal", "[203.0.113.9]", "[203.0.113.9]", nullptr},
      {"IPv6 literal", "[IPv6:2001:DB8:0::1]", "[IPv6:2001:db8::1]", nullptr},
      {"IPv6 literal without tag", "[2001:db8::1]", "[IPv6:2001:db8::1]", nullptr},
      {"mapped literal", "[IPv6:::ffff:203.0.113.9]", "[203.0.113.9]", nullptr},
      {"empty", "", nullptr, "empty"},
      {"dot", ".", nullptr, "empty label"},
      {"leading dot", ".example.com", nullptr, "empty label"},
      {"two dots", "example..com", nullptr, "empty label"},
      {"two trailing dots", "example.com..", nullptr, "empty label"},
      {"empty label by mapping", "b\u00fccher..example", nullptr, "empty label"},
      {"label of 64", label63 + "a.example", nullptr, "63 octets"},
      {"name of 254", name253 + 'b', nullptr, "253 octets"},
      {"far too long", std::string(5000, 'a'), nullptr, "253 octets"},
      {"blank", "exam ple.com", nullptr, "only letters"},
      {"at sign", "a@example.com", nullptr, "only letters"},
      {"wildcard", "*.example.com", nullptr, "only letters"},
      {"control character", "example\n.com", nullptr, "only letters"},
      {"a byte of zero", std::string("example\0.com", 12), nullptr, "only letters"},
      {"a byte of zero among others", std::string("\u00fc\0.com", 7), nullptr, "not UTF-8"},
      {"Latin-1",
       "b\xfc"
       "cher.example",
       nullptr, "not UTF-8"},
      {"a name that can not be mapped", "\u0378.example", nullptr, "international"},
      {"literal that is none", "[example.com]", nullptr, "address literal"},
      {"literal not closed", "[203.0.113.9", nullptr, "address literal"},
      {"literal with zone id", "[IPv6:fe80::1%eth0]", nullptr, "address literal"},
      {"empty literal", "[]", nullptr, "address literal"},
      {"bracket alone", "[", nullptr, "address literal"},
  };
  for (const auto& row : kRows) {
    SCOPED_TRACE(row.name);
    const auto got = DomainName::parse(row.text);
    ASSERT_EQ(got.ok(), row.problem == nullptr) << (got ? got->text() : got.problem());
    if (got) {
      EXPECT_EQ(got->text(), row.want != nullptr ? row.want : without_dot(row.text));
      EXPECT_EQ(DomainName::parse(got->text())->text(), got->text());
    } else {
      EXPECT_NE(got.problem().find(row.problem), std::string::npos) << got.problem();
    }
  }
}

TEST(DomainPattern, MatchesTheNameOrWhatIsBelowIt) {
  const struct {
    const char* pattern;
    const char* domain;
    bool want;
  } kRows[] = {
      {"example.com", "example.com", true},
      {"example.com", "www.example.com", false},
      {"example.com", "notexample.com", false},
      {"*.example.com", "www.example.com", true},
      {"*.example.com", "a.b.example.com", true},
      {"*.example.com", "example.com", false},
      {"*.example.com", "notexample.com", false},
      {"*.example.com", ".example.com", false},
      {"*.example.com", "", false},
      {"*.com", "example.com", true},
      {"[203.0.113.9]", "[203.0.113.9]", true},
      {"[203.0.113.9]", "[203.0.113.90]", false},
  };
  for (const auto& row : kRows) {
    SCOPED_TRACE(std::string(row.pattern) + " and " + row.domain);
    EXPECT_EQ(DomainPattern::parse(row.pattern)->matches(row.domain), row.want);
  }
}

TEST(DomainPattern, ParsesOneWildcard) {
  EXPECT_EQ(DomainPattern::parse("*.B\u00fccher.Example.")->to_string(), "*.xn--bcher-kva.example");
  EXPECT_EQ(DomainPattern::parse("Example.com")->to_string(), "example.com");
  for (const char* bad : {"*", "*.", "**.example.com", "a.*.example.com", "*example.com",
                          "*.*.example.com", "*.[203.0.113.9]", ""})
    EXPECT_FALSE(DomainPattern::parse(bad).ok()) << bad;
}

}  // namespace
}  // namespace ipmit::policy
