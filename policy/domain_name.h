// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <compare>
#include <optional>
#include <string>
#include <string_view>

#include "common/error.h"

namespace ipmit::policy {

// A mail domain as one canonical key: lower case, A-labels (IDNA 2008 by libidn2, with the UTS 46
// mapping Postfix uses), no trailing dot; or an address literal in canonical form
// ("[203.0.113.9]", "[IPv6:2001:db8::1]"). Immutable value.
class DomainName {
 public:
  // Problem: empty, a label longer than 63 or a name longer than 253 octets, empty labels,
  // characters outside letters, digits, '-' and '_', an unparsable literal, bad IDN.
  static common::Result<DomainName> parse(std::string_view text);

  const std::string& text() const { return text_; }
  bool is_literal() const { return text_.front() == '['; }

  friend auto operator<=>(const DomainName&, const DomainName&) = default;

 private:
  explicit DomainName(std::string text) : text_(std::move(text)) {}
  std::string text_;
};

// Which domains a target or scope means: "example.com" is that name only, "*.example.com" every
// name below it and not itself (write both for both). No other use of '*'.
class DomainPattern {
 public:
  static common::Result<DomainPattern> parse(std::string_view text);

  const DomainName& domain() const { return domain_; }
  bool subdomains() const { return subdomains_; }
  bool matches(std::string_view canonical_domain) const;
  std::string to_string() const;

  friend auto operator<=>(const DomainPattern&, const DomainPattern&) = default;

 private:
  DomainPattern(DomainName domain, bool subdomains)
      : domain_(std::move(domain)), subdomains_(subdomains) {}
  DomainName domain_;
  bool subdomains_;
};

}  // namespace ipmit::policy
