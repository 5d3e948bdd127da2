// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

#include "common/clock.h"

namespace ipmit::events {

// Turns the time stamps of a log into times. An RFC 3164 stamp has neither year nor zone: the year
// of the first one is the latest that is not after `reference` (plus a day, for clocks that run
// ahead); later ones stay near the one before, so that a log that runs from December into January
// gets the next year. One clock a log, lines in their order. One thread at a time.
class LogClock {
 public:
  // `reference`: about when the log was last written: now for a live log, the file's modification
  // time for an old one. `zone`: of stamps without one, east positive; nullopt: this system's.
  explicit LogClock(common::TimePoint reference,
                    std::optional<std::chrono::minutes> zone = std::nullopt)
      : reference_(reference), zone_(zone) {}

  // "Nov 24 17:24:14[.fraction]", or RFC 3339 (a zone is optional, "+0100" is fine, fraction cut to
  // milliseconds). nullopt: not a time.
  std::optional<common::TimePoint> read(std::string_view timestamp);

 private:
  std::optional<common::TimePoint> read_rfc3164(std::string_view text);
  std::optional<common::TimePoint> read_rfc3339(std::string_view text);
  std::chrono::year year_for(std::chrono::month month, std::chrono::day day) const;
  std::chrono::seconds offset_at(std::chrono::sys_seconds local);

  common::TimePoint reference_;
  std::optional<std::chrono::minutes> zone_;
  std::optional<common::TimePoint> last_;  // of the stamps without year, as if UTC
  // Most lines share their second with the one before, and their hour with many.
  std::string memo_text_;
  std::optional<common::TimePoint> memo_time_;
  std::optional<std::chrono::sys_seconds> memo_hour_;
  std::chrono::seconds memo_offset_{};
};

}  // namespace ipmit::events
