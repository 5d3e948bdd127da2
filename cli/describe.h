// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <iosfwd>
#include <optional>
#include <string>
#include <vector>

#include "common/clock.h"
#include "policy/mitigation.h"

namespace ipmit::cli {

using common::Duration;
using common::TimePoint;

// Words for the parts of a mitigation, one form in all verbs.
std::string describe_limit(const policy::RateLimit& limit);  // "100 messages per 1h, burst 100"
std::string describe_action(const policy::Mitigation& mitigation);  // "Reroute to slow (DryRun)"
std::string describe_targets(const std::vector<policy::Target>& targets, std::size_t most);
std::string describe_scope(const policy::Scope& scope);  // empty for no scope
// "2026-11-25T18:00Z (in 2h)", "2026-11-25T18:00Z (over)", "until released".
std::string describe_end(std::optional<TimePoint> ends, TimePoint now);
// In at most two units: "3d4h", "59m", "12s".
std::string rough_duration(Duration duration);

// "key: value" lines of one mitigation, as `show` and `add` print them.
void print_mitigation(std::ostream& out, const policy::Mitigation& mitigation, TimePoint now);

}  // namespace ipmit::cli
