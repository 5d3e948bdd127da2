// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

namespace ipmit::common {

// Wall-clock time in milliseconds since 1970-01-01 UTC: what is stored, compared and printed.
// Functions that decide take it as an argument; only loops and main() ask a clock.
using TimePoint = std::chrono::sys_time<std::chrono::milliseconds>;
using Duration = std::chrono::milliseconds;

TimePoint now();

// RFC 3339 in UTC. to_rfc3339 prints milliseconds only where they are not zero
// ("2026-11-25T18:00:00Z"); to_short_utc stops at the minute, for replies ("2026-11-25T18:00Z").
std::string to_rfc3339(TimePoint time);
std::string to_short_utc(TimePoint time);

// Accepts any RFC 3339 date-time (upper or lower case T and Z, offset, fraction cut to
// milliseconds), and also the short form without seconds. A leap second counts as the next second.
std::optional<TimePoint> parse_rfc3339(std::string_view text);

// "90s", "15m", "1h30m", "2d", "500ms", "1w": one or more number+unit pairs, no sign, no blanks, at
// most 100 years. A number alone is refused: units are never guessed. to_duration_text is the
// inverse, in its shortest exact form ("1h30m"); zero is "0s".
std::optional<Duration> parse_duration(std::string_view text);
std::string to_duration_text(Duration duration);

}  // namespace ipmit::common
