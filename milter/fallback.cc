// SPDX-License-Identifier: Apache-2.0
#include "milter/fallback.h"

namespace ipmit::milter {
namespace {

WhenStale when_stale(policy::Action action, const FallbackOptions& options) {
  switch (action) {
    case policy::Action::kThrottle:
      return options.limits;
    case policy::Action::kDefer:
    case policy::Action::kReject:
      return options.refusals;
    case policy::Action::kQuarantine:
    case policy::Action::kReroute:
    case policy::Action::kDiscard:
      return options.routing;
    case policy::Action::kObserve:
      break;
  }
  return WhenStale::kEnforce;
}

}  // namespace

Fallback fallback_decision(RuleState state, std::optional<policy::Action> action,
                           const FallbackOptions& options) {
  if (!action) {
    if (state != RuleState::kNone) return Fallback::kEnforce;
    return options.no_rules == NoRules::kTempfail ? Fallback::kTempfail : Fallback::kAccept;
  }
  if (state == RuleState::kFresh || state == RuleState::kNone) return Fallback::kEnforce;
  switch (when_stale(*action, options)) {
    case WhenStale::kAccept:
      return Fallback::kAccept;
    case WhenStale::kTempfail:
      return Fallback::kTempfail;
    case WhenStale::kEnforce:
      break;
  }
  return Fallback::kEnforce;
}

policy::SmtpReply unavailable_reply() {
  return policy::SmtpReply::make("451", "4.3.0", "mail policy not available, try again later")
      .value();
}

}  // namespace ipmit::milter
