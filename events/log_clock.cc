// SPDX-License-Identifier: Apache-2.0
#include "events/log_clock.h"

#include <ctime>

namespace ipmit::events {
namespace {

using common::TimePoint;
using std::chrono::days;
using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;
using std::chrono::sys_days;
using std::chrono::sys_seconds;

constexpr bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

// `count` digits at `pos`; -1 if they are none.
int number_at(std::string_view text, std::size_t pos, std::size_t count) {
  if (text.size() < pos + count) return -1;
  int value = 0;
  for (std::size_t i = pos; i < pos + count; ++i) {
    if (!is_digit(text[i])) return -1;
    value = value * 10 + (text[i] - '0');
  }
  return value;
}

unsigned month_number(std::string_view name) {
  static constexpr std::string_view kNames = "JanFebMarAprMayJunJulAugSepOctNovDec";
  for (unsigned month = 0; month < 12; ++month) {
    if (kNames.substr(month * 3UL, 3) == name) return month + 1;
  }
  return 0;
}

// "17:24:14[.fraction]" at `pos`, which moves behind it.
std::optional<milliseconds> clock_at(std::string_view text, std::size_t& pos) {
  const int hour = number_at(text, pos, 2);
  const int minute = number_at(text, pos + 3, 2);
  const int second = number_at(text, pos + 6, 2);
  if (hour < 0 || hour > 23 || minute < 0 || minute > 59 || second < 0 || second > 60) return {};
  if (text[pos + 2] != ':' || text[pos + 5] != ':') return {};
  milliseconds time = hours(hour) + minutes(minute) + seconds(second);
  pos += 8;
  if (pos < text.size() && text[pos] == '.') {
    int unit = 100;
    for (++pos; pos < text.size() && is_digit(text[pos]); ++pos, unit /= 10) {
      time += milliseconds((text[pos] - '0') * unit);
    }
  }
  return time;
}

// "Z", "+01:00", "-0530" to the end of the text. nullopt: something else.
std::optional<seconds> zone_at(std::string_view text, std::size_t pos) {
  if (text.size() == pos + 1 && (text[pos] == 'Z' || text[pos] == 'z')) return seconds(0);
  if (text[pos] != '+' && text[pos] != '-') return {};
  const bool colon = text.size() == pos + 6 && text[pos + 3] == ':';
  if (!colon && text.size() != pos + 5) return {};
  const int hour = number_at(text, pos + 1, 2);
  const int minute = number_at(text, colon ? pos + 4 : pos + 3, 2);
  if (hour < 0 || hour > 23 || minute < 0 || minute > 59) return {};
  const seconds offset = hours(hour) + minutes(minute);
  return text[pos] == '-' ? -offset : offset;
}

}  // namespace

std::optional<TimePoint> LogClock::read(std::string_view timestamp) {
  if (timestamp == memo_text_ && memo_time_) return memo_time_;
  const auto time = !timestamp.empty() && is_digit(timestamp.front()) ? read_rfc3339(timestamp)
                                                                      : read_rfc3164(timestamp);
  if (time) {
    memo_text_ = timestamp;
    memo_time_ = time;
  }
  return time;
}

std::optional<TimePoint> LogClock::read_rfc3339(std::string_view text) {
  const int year = number_at(text, 0, 4);
  const int month = number_at(text, 5, 2);
  const int day = number_at(text, 8, 2);
  if (year < 1 || month < 1 || day < 1 || text.size() < 19) return {};
  const std::chrono::year_month_day date{std::chrono::year(year),
                                         std::chrono::month(static_cast<unsigned>(month)),
                                         std::chrono::day(static_cast<unsigned>(day))};
  std::size_t pos = 11;
  const auto clock = clock_at(text, pos);
  if (!date.ok() || !clock) return {};
  const TimePoint local = sys_days(date) + *clock;
  if (pos == text.size()) return local - offset_at(std::chrono::floor<seconds>(local));
  const auto zone = zone_at(text, pos);
  if (!zone) return {};
  return local - *zone;
}

std::chrono::year LogClock::year_for(std::chrono::month month, std::chrono::day day) const {
  const auto in = [&](std::chrono::year year) {
    return sys_days(std::chrono::year_month_day(year, month, day));
  };
  const TimePoint near = last_.value_or(reference_ + days(1));
  const std::chrono::year_month_day today(std::chrono::floor<days>(near));
  std::chrono::year year = today.year();
  if (!last_) {
    if (in(year) > near) --year;
  } else if (in(year) > near + days(183)) {
    --year;  // a straggler from before New Year
  } else if (in(year) + days(183) < near) {
    ++year;
  }
  return year;
}

std::optional<TimePoint> LogClock::read_rfc3164(std::string_view text) {
  const unsigned month = month_number(text.substr(0, 3));
  std::size_t pos = 4;
  if (month == 0 || text.size() < 14) return {};
  if (text[pos] == ' ') ++pos;
  const std::size_t digits = is_digit(text[pos + 1]) ? 2 : 1;
  const int day = number_at(text, pos, digits);
  pos += digits + 1;
  const auto clock = clock_at(text, pos);
  if (day < 1 || day > 31 || !clock || pos != text.size()) return {};
  const std::chrono::month in_month(month);
  const std::chrono::day on_day(static_cast<unsigned>(day));
  std::chrono::year_month_day date(year_for(in_month, on_day), in_month, on_day);
  // 29 February belongs to the leap year nearest before; a day no year has is no time.
  for (int back = 0; back < 8 && !date.ok(); ++back) date -= std::chrono::years(1);
  if (!date.ok()) return {};
  const TimePoint local = sys_days(date) + *clock;
  last_ = local;
  return local - offset_at(std::chrono::floor<seconds>(local));
}

seconds LogClock::offset_at(sys_seconds local) {
  if (zone_) return *zone_;
  const sys_seconds hour = std::chrono::floor<hours>(local);
  if (memo_hour_ == hour) return memo_offset_;
  const std::chrono::year_month_day date(std::chrono::floor<days>(local));
  std::tm broken{};
  broken.tm_year = static_cast<int>(date.year()) - 1900;
  broken.tm_mon = static_cast<int>(static_cast<unsigned>(date.month())) - 1;
  broken.tm_mday = static_cast<int>(static_cast<unsigned>(date.day()));
  broken.tm_hour = static_cast<int>((hour - std::chrono::floor<days>(local)) / hours(1));
  broken.tm_isdst = -1;
  const std::time_t utc = std::mktime(&broken);
  memo_hour_ = hour;
  memo_offset_ = utc == -1 ? seconds(0) : hour.time_since_epoch() - seconds(utc);
  return memo_offset_;
}

}  // namespace ipmit::events
