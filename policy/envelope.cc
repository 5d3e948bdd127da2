// SPDX-License-Identifier: Apache-2.0
#include "policy/envelope.h"

#include "policy/domain_name.h"
#include "policy/text.h"

namespace ipmit::policy {
namespace {

constexpr std::size_t kNone = std::string_view::npos;

// "@a,@[IPv6:2001:db8::1]:u@c" -> "u@c". The colon that ends a route stands outside brackets.
std::string_view without_route(std::string_view path) {
  if (path.empty() || path.front() != '@') return path;
  bool literal = false;
  for (std::size_t i = 0; i < path.size(); ++i) {
    if (path[i] == '[') literal = true;
    if (path[i] == ']') literal = false;
    if (path[i] == ':' && !literal) return path.substr(i + 1);
  }
  return path;
}

// The last '@' outside quotes; if a quote is never closed, the last one at all, so that a stray
// quote does not hide the domain.
std::size_t find_at(std::string_view path) {
  std::size_t at = kNone;
  bool in_quotes = false;
  for (std::size_t i = 0; i < path.size(); ++i) {
    if (path[i] == '\\') {
      ++i;
    } else if (path[i] == '"') {
      in_quotes = !in_quotes;
    } else if (path[i] == '@' && !in_quotes) {
      at = i;
    }
  }
  return in_quotes ? path.rfind('@') : at;
}

std::string unquoted(std::string_view local_part) {
  if (local_part.find_first_of("\\\"") == kNone) return std::string(local_part);
  std::string plain;
  plain.reserve(local_part.size());
  for (std::size_t i = 0; i < local_part.size(); ++i) {
    if (local_part[i] == '"') continue;
    if (local_part[i] == '\\' && i + 1 < local_part.size()) ++i;
    plain += local_part[i];
  }
  return plain;
}

}  // namespace

EnvelopeAddress EnvelopeAddress::parse(std::string_view argument) {
  std::string_view path = trim(argument);
  if (!path.empty() && path.front() == '<') path.remove_prefix(1);
  if (!path.empty() && path.back() == '>') path.remove_suffix(1);
  path = trim(without_route(trim(path)));

  EnvelopeAddress address;
  const std::size_t at = find_at(path);
  address.local_part_ = unquoted(trim(path.substr(0, at)));
  const std::string_view domain = at == kNone ? std::string_view{} : trim(path.substr(at + 1));
  address.null_ = address.local_part_.empty() && domain.empty();
  if (auto name = DomainName::parse(domain)) address.domain_ = name->text();
  return address;
}

bool EnvelopeAddress::is_postmaster() const {
  return equals_ignoring_case(local_part_, "postmaster");
}

std::string EnvelopeAddress::to_string() const {
  if (null_) return "<>";
  return domain_.empty() ? local_part_ : local_part_ + '@' + domain_;
}

}  // namespace ipmit::policy
