// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

#include "common/clock.h"
#include "policy/mitigation.h"
#include "policy/mitigation_set.h"

// Rules for tests of what carries them: each passes policy::validate().
namespace ipmit::test {

inline policy::Target target(std::string_view text) {
  auto parsed = policy::Target::parse(text);
  if (!parsed) throw std::invalid_argument(std::string(text) + ": " + parsed.problem());
  return std::move(parsed).value();
}

inline common::TimePoint at(std::string_view rfc3339) {
  const auto time = common::parse_rfc3339(rfc3339);
  if (!time) throw std::invalid_argument(std::string(rfc3339));
  return *time;
}

inline policy::Mitigation reject(std::string name, std::string_view of, std::uint64_t revision) {
  policy::Mitigation rule;
  rule.name = std::move(name);
  rule.targets = {target(of)};
  rule.action = policy::Action::kReject;
  rule.reason = "sends to dead addresses";
  rule.revision = revision;
  return rule;
}

inline policy::Mitigation throttle(std::string name, std::string_view of, std::uint64_t revision) {
  policy::Mitigation rule = reject(std::move(name), of, revision);
  rule.action = policy::Action::kThrottle;
  rule.rate_limit = policy::RateLimit{100, std::chrono::hours(1), 20, policy::RateUnit::kRecipients,
                                      policy::RateKey::kAddress};
  return rule;
}

// One with every field set that a mitigation can have at once.
inline policy::Mitigation full_rule(std::string name, std::uint64_t revision) {
  policy::Mitigation rule = throttle(std::move(name), "203.0.113.0/24", revision);
  rule.origin = policy::Origin::kDetector;
  for (const char* more : {"192.0.2.9", "2001:db8:1::/48", "domain:example.com",
                           "domain:*.example.net", "user:alice smith@example.com"})
    rule.targets.push_back(target(more));
  rule.scope.sender_domains = {*target("domain:*.example.org").domain()};
  rule.scope.sasl_users = {*target("user:bob").user(), *target("user:carol").user()};
  rule.scope.recipient_domains = {*target("domain:example.net").domain()};
  rule.mode = policy::Mode::kDryRun;
  rule.reply_code = "450";
  rule.reply_enhanced = "4.7.28";
  rule.reply_text = "slow down, \xc3\xa4h";
  rule.priority = -7;
  rule.starts = at("2026-11-25T18:00:00.250Z");
  rule.ends = at("2106-11-25T18:00:00Z");
  policy::canonicalise(rule);
  return rule;
}

// `count` rejected addresses of 10.0.0.0/8, named "bulk-N" from `first`, with revisions from
// `first`.
inline policy::MitigationSet::Source bulk_rules(std::size_t first, std::size_t count) {
  policy::MitigationSet::Source source;
  source.mitigations.reserve(count);
  for (std::size_t i = first; i < first + count; ++i) {
    const auto n = static_cast<std::uint32_t>(i);
    const auto address = policy::IpAddress::from_v4({10, static_cast<std::uint8_t>(n >> 16),
                                                     static_cast<std::uint8_t>(n >> 8),
                                                     static_cast<std::uint8_t>(n)});
    policy::Mitigation rule;
    rule.name = "bulk-" + std::to_string(i);
    rule.targets = {policy::Target(policy::IpPrefix::of(address, 32))};
    rule.action = policy::Action::kReject;
    rule.reason = "listed by the load test";
    rule.revision = i;
    source.mitigations.push_back(std::move(rule));
  }
  source.revision = first + count - 1;
  return source;
}

}  // namespace ipmit::test
