// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <initializer_list>
#include <string>

#include "policy/decide.h"

// Short ways to write rules and messages in the tests of policy/.
namespace ipmit::policy {

inline TimePoint at(int seconds) {
  return TimePoint(std::chrono::seconds(1'800'000'000 + seconds));
}

inline Target target(std::string_view text) {
  return Target::parse(text).value();
}

inline Mitigation rule(std::string name, Action action,
                       std::initializer_list<const char*> targets) {
  Mitigation mitigation;
  mitigation.name = std::move(name);
  mitigation.action = action;
  mitigation.reason = "too many bounces";
  for (const char* text : targets) mitigation.targets.push_back(target(text));
  if (action == Action::kReroute) mitigation.reroute_transport = "slow";
  if (action == Action::kThrottle)
    mitigation.rate_limit = RateLimit{.limit = 100, .period = std::chrono::hours(1), .burst = 100};
  return mitigation;
}

inline Mitigation deferral(std::string name, std::initializer_list<const char*> targets) {
  return rule(std::move(name), Action::kDefer, targets);
}

inline Exemption exemption(const char* text) {
  return {.target = target(text), .reason = "ours", .ends = {}};
}

inline DomainPattern pattern(std::string_view text) {
  return DomainPattern::parse(text).value();
}

}  // namespace ipmit::policy
