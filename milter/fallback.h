// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>

#include "milter/options.h"
#include "milter/rule_feed.h"
#include "policy/mitigation.h"
#include "policy/smtp_reply.h"

namespace ipmit::milter {

// What degraded rules mean for one message. kEnforce: go by the rules as they are; kAccept: as if
// nothing had matched; kTempfail: refuse with unavailable_reply().
enum class Fallback : std::uint8_t { kEnforce, kAccept, kTempfail };

// The one place where degraded behaviour is decided. `action`: of the rule that matched, or unset
// when a message comes in and none was asked yet (only then no_rules matters).
Fallback fallback_decision(RuleState state, std::optional<policy::Action> action,
                           const FallbackOptions& options);

policy::SmtpReply unavailable_reply();  // 451 4.3.0

}  // namespace ipmit::milter
