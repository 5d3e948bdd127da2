// SPDX-License-Identifier: Apache-2.0
#include "common/clock.h"

#include <array>
#include <charconv>
#include <cstdint>
#include <cstdio>

namespace ipmit::common {
namespace {

using std::chrono::days;
using std::chrono::floor;
using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;
using std::chrono::year_month_day;

constexpr Duration kLongestDuration = hours(24) * 366 * 100;

struct DurationUnit {
  std::string_view name;
  Duration size;
};
// Largest first: to_duration_text takes them greedily. Weeks are read but written as days.
constexpr std::array<DurationUnit, 6> kUnits{{{"w", hours(24 * 7)},
                                              {"d", hours(24)},
                                              {"h", hours(1)},
                                              {"m", minutes(1)},
                                              {"s", seconds(1)},
                                              {"ms", milliseconds(1)}}};

struct BrokenDown {
  int year;
  unsigned month, day;
  int hour, minute, second, millisecond;
};

BrokenDown break_down(TimePoint time) {
  const auto day = floor<days>(time);
  const year_month_day date(day);
  const auto ms = static_cast<int>((time - day).count());
  return {static_cast<int>(date.year()),
          static_cast<unsigned>(date.month()),
          static_cast<unsigned>(date.day()),
          ms / 3600000,
          ms / 60000 % 60,
          ms / 1000 % 60,
          ms % 1000};
}

// Exactly `width` digits at the front of `text`, which is shortened by them.
std::optional<int> take_digits(std::string_view& text, std::size_t width) {
  if (text.size() < width) return std::nullopt;
  int value = 0;
  for (std::size_t i = 0; i < width; ++i) {
    if (text[i] < '0' || text[i] > '9') return std::nullopt;
    value = value * 10 + (text[i] - '0');
  }
  text.remove_prefix(width);
  return value;
}

bool take(std::string_view& text, std::string_view any_of) {
  if (text.empty() || any_of.find(text.front()) == std::string_view::npos) return false;
  text.remove_prefix(1);
  return true;
}

int take_fraction_ms(std::string_view& text) {
  int value = 0;
  int scale = 100;
  while (!text.empty() && text.front() >= '0' && text.front() <= '9') {
    value += (text.front() - '0') * scale;
    scale /= 10;
    text.remove_prefix(1);
  }
  return value;
}

std::optional<minutes> take_offset(std::string_view& text) {
  if (take(text, "Zz")) return minutes(0);
  const bool east = !text.empty() && text.front() == '+';
  if (!take(text, "+-")) return std::nullopt;
  const auto hour = take_digits(text, 2);
  if (!hour || !take(text, ":")) return std::nullopt;
  const auto minute = take_digits(text, 2);
  if (!minute || *hour > 23 || *minute > 59) return std::nullopt;
  const minutes offset(*hour * 60 + *minute);
  return east ? offset : -offset;
}

}  // namespace

TimePoint now() {
  return floor<milliseconds>(std::chrono::system_clock::now());
}

std::string to_rfc3339(TimePoint time) {
  const BrokenDown t = break_down(time);
  std::array<char, 64> text{};
  const int length =
      t.millisecond == 0
          ? std::snprintf(text.data(), text.size(), "%04d-%02u-%02uT%02d:%02d:%02dZ", t.year,
                          t.month, t.day, t.hour, t.minute, t.second)
          : std::snprintf(text.data(), text.size(), "%04d-%02u-%02uT%02d:%02d:%02d.%03dZ", t.year,
                          t.month, t.day, t.hour, t.minute, t.second, t.millisecond);
  return {text.data(), static_cast<std::size_t>(length)};
}

std::string to_short_utc(TimePoint time) {
  const BrokenDown t = break_down(time);
  std::array<char, 64> text{};
  const int length = std::snprintf(text.data(), text.size(), "%04d-%02u-%02uT%02d:%02dZ", t.year,
                                   t.month, t.day, t.hour, t.minute);
  return {text.data(), static_cast<std::size_t>(length)};
}

std::optional<TimePoint> parse_rfc3339(std::string_view text) {
  const auto year = take_digits(text, 4);
  if (!year || !take(text, "-")) return std::nullopt;
  const auto month = take_digits(text, 2);
  if (!month || !take(text, "-")) return std::nullopt;
  const auto day = take_digits(text, 2);
  if (!day || !take(text, "Tt ")) return std::nullopt;
  const auto hour = take_digits(text, 2);
  if (!hour || !take(text, ":")) return std::nullopt;
  const auto minute = take_digits(text, 2);
  if (!minute) return std::nullopt;
  int second = 0;
  int fraction_ms = 0;
  if (take(text, ":")) {
    const auto parsed = take_digits(text, 2);
    if (!parsed) return std::nullopt;
    second = *parsed;
    if (take(text, ".")) fraction_ms = take_fraction_ms(text);
  }
  const auto offset = take_offset(text);
  const year_month_day date(std::chrono::year(*year),
                            std::chrono::month(static_cast<unsigned>(*month)),
                            std::chrono::day(static_cast<unsigned>(*day)));
  if (!offset || !text.empty() || !date.ok() || *hour > 23 || *minute > 59 || second > 60) {
    return std::nullopt;
  }
  return std::chrono::sys_days(date) + hours(*hour) + minutes(*minute) + seconds(second) +
         milliseconds(fraction_ms) - *offset;
}

std::optional<Duration> parse_duration(std::string_view text) {
  if (text.empty()) return std::nullopt;
  Duration total{0};
  while (!text.empty()) {
    std::uint32_t count = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), count);
    if (error != std::errc()) return std::nullopt;
    text.remove_prefix(static_cast<std::size_t>(end - text.data()));
    const auto unit_length = text.find_first_of("0123456789");
    const std::string_view unit_name = text.substr(0, unit_length);
    text.remove_prefix(unit_name.size());
    Duration unit{0};
    for (const DurationUnit& candidate : kUnits) {
      if (candidate.name == unit_name) unit = candidate.size;
    }
    if (unit.count() == 0) return std::nullopt;
    if (count > kLongestDuration / unit) return std::nullopt;
    total += unit * static_cast<std::int64_t>(count);
    if (total > kLongestDuration) return std::nullopt;
  }
  return total;
}

std::string to_duration_text(Duration duration) {
  if (duration.count() == 0) return "0s";
  std::string text;
  for (const DurationUnit& unit : kUnits) {
    if (unit.name == "w") continue;
    const auto count = duration / unit.size;
    if (count == 0) continue;
    text += std::to_string(count);
    text += unit.name;
    duration -= unit.size * count;
  }
  return text;
}

}  // namespace ipmit::common
