// SPDX-License-Identifier: Apache-2.0
#include "milter/fallback.h"

#include <gtest/gtest.h>

namespace ipmit::milter {
namespace {

using policy::Action;

TEST(Fallback, OneTable) {
  FallbackOptions keep;
  FallbackOptions change;
  change.no_rules = NoRules::kTempfail;
  change.limits = WhenStale::kAccept;
  change.refusals = WhenStale::kTempfail;
  change.routing = WhenStale::kAccept;
  const struct {
    const char* name;
    RuleState state;
    std::optional<Action> action;
    const FallbackOptions& options;
    Fallback want;
  } rows[] = {
      {"no rules, default", RuleState::kNone, {}, keep, Fallback::kAccept},
      {"no rules, tempfail", RuleState::kNone, {}, change, Fallback::kTempfail},
      {"fresh rules, no question", RuleState::kFresh, {}, change, Fallback::kEnforce},
      {"stale rules, no question", RuleState::kStale, {}, change, Fallback::kEnforce},
      {"from disk, no question", RuleState::kFromDisk, {}, change, Fallback::kEnforce},
      {"fresh", RuleState::kFresh, Action::kReject, change, Fallback::kEnforce},
      {"stale, default", RuleState::kStale, Action::kReject, keep, Fallback::kEnforce},
      {"stale throttle", RuleState::kStale, Action::kThrottle, change, Fallback::kAccept},
      {"stale defer", RuleState::kStale, Action::kDefer, change, Fallback::kTempfail},
      {"stale reject", RuleState::kStale, Action::kReject, change, Fallback::kTempfail},
      {"stale hold", RuleState::kStale, Action::kQuarantine, change, Fallback::kAccept},
      {"stale reroute", RuleState::kStale, Action::kReroute, change, Fallback::kAccept},
      {"stale discard", RuleState::kStale, Action::kDiscard, change, Fallback::kAccept},
      {"from disk", RuleState::kFromDisk, Action::kThrottle, change, Fallback::kAccept},
  };
  for (const auto& row : rows) {
    EXPECT_EQ(fallback_decision(row.state, row.action, row.options), row.want) << row.name;
  }
}

}  // namespace
}  // namespace ipmit::milter
