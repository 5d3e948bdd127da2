// SPDX-License-Identifier: Apache-2.0
#include "policy/domain_name.h"

#include <algorithm>
#include <memory>

#include <idn2.h>

#include "policy/ip_address.h"
#include "policy/text.h"

namespace ipmit::policy {
namespace {

using common::Problem;
using common::Result;

constexpr std::size_t kMaxName = 253;
constexpr std::size_t kMaxLabel = 63;
constexpr const char* kTooLong = "longer than 253 octets";
constexpr std::size_t kMaxInput = 1024;  // U-labels may be longer than their A-labels

std::string quoted(std::string_view text) {
  return '"' + std::string(text.substr(0, 80)) + '"';
}

Problem problem(std::string_view text, const std::string& reason) {
  return {quoted(text) + ": " + reason};
}

bool is_ascii(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return (c & 0x80) == 0; });
}

// A-labels by UTS 46, not transitional, as Postfix looks them up in the DNS. Symbols (a heart)
// are names for UTS 46 and so for Postfix, but not for IDNA 2008: those go through the transitional
// mapping, which libidn2 does not hold to IDNA 2008 (docs/decisions/0010).
Result<std::string> to_a_labels(std::string_view text) {
  if (!is_utf8(text) || text.find('\0') != std::string_view::npos)
    return problem(text, "not UTF-8");
  const std::string input(text);
  std::string output;
  const auto convert = [&](int flags) {
    char* converted = nullptr;
    const int status = idn2_to_ascii_8z(input.c_str(), &converted, flags | IDN2_NFC_INPUT);
    const std::unique_ptr<char, void (*)(void*)> owner(converted, idn2_free);
    if (status == IDN2_OK) output = converted;
    return status;
  };
  int status = convert(IDN2_NONTRANSITIONAL);
  if (status == IDN2_DISALLOWED) status = convert(IDN2_TRANSITIONAL);
  if (status != IDN2_OK)
    return problem(text, std::string("not an international domain name: ") + idn2_strerror(status));
  return output;
}

// Lower-cases an ASCII name in place and says what is wrong with it; nullptr: nothing. This is done
// for addresses of each message, so it looks at each octet once.
const char* normalize(std::string& name) {
  if (name.empty()) return "empty name";
  if (name.size() > kMaxName) return kTooLong;
  bool plain = true;
  std::size_t label = 0;
  for (char& c : name) {
    c = to_lower(c);
    if (c != '.') {
      plain = plain && ((c >= 'a' && c <= 'z') || is_digit(c) || c == '-' || c == '_');
      if (++label > kMaxLabel) return "a label is longer than 63 octets";
    } else if (label == 0) {
      return "empty label";
    } else {
      label = 0;
    }
  }
  if (label == 0) return "empty label";
  return plain ? nullptr : "only letters, digits, '-' and '_' make a domain name";
}

std::string_view without_trailing_dot(std::string_view text) {
  if (text.size() > 1 && text.back() == '.') text.remove_suffix(1);
  return text;
}

}  // namespace

Result<DomainName> DomainName::parse(std::string_view text) {
  if (text.size() > kMaxInput) return problem(text, kTooLong);
  if (!text.empty() && text.front() == '[') {
    const auto address = text.back() == ']' ? IpAddress::parse(text) : std::nullopt;
    if (!address) return problem(text, "not an address literal");
    return DomainName((address->is_v4() ? "[" : "[IPv6:") + address->to_string() + ']');
  }
  std::string name;
  if (is_ascii(text)) {
    name = without_trailing_dot(text);
  } else {
    auto mapped = to_a_labels(text);
    if (!mapped) return Problem{mapped.problem()};
    name = without_trailing_dot(*mapped);
  }
  if (const char* reason = normalize(name)) return problem(text, reason);
  return DomainName(std::move(name));
}

Result<DomainPattern> DomainPattern::parse(std::string_view text) {
  const bool subdomains = text.substr(0, 2) == "*.";
  const std::string_view rest = subdomains ? text.substr(2) : text;
  if (rest.find('*') != std::string_view::npos)
    return problem(text, "'*' may only be the whole first label, as in \"*.example.com\"");
  auto domain = DomainName::parse(rest);
  if (!domain) return Problem{domain.problem()};
  if (subdomains && domain->is_literal())
    return problem(text, "an address literal has no subdomains");
  return DomainPattern(std::move(domain).value(), subdomains);
}

bool DomainPattern::matches(std::string_view canonical_domain) const {
  const std::string& name = domain_.text();
  if (!subdomains_) return canonical_domain == name;
  return canonical_domain.size() > name.size() + 1 && canonical_domain.ends_with(name) &&
         canonical_domain[canonical_domain.size() - name.size() - 1] == '.';
}

std::string DomainPattern::to_string() const {
  return subdomains_ ? "*." + domain_.text() : domain_.text();
}

}  // namespace ipmit::policy
