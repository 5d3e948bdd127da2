// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <concepts>
#include <initializer_list>
#include <string>
#include <string_view>

namespace ipmit::common {

// kError: someone must act. kWarn: degraded but working. kInfo: decisions, snapshot changes,
// findings. kDebug: for developers.
enum class LogLevel { kDebug, kInfo, kWarn, kError };

// One key=value pair of a log line. Keys are the words of docs/terms.md.
struct LogField {
  std::string_view key;
  std::string value;

  LogField(std::string_view k, std::string_view v) : key(k), value(v) {}
  LogField(std::string_view k, const char* v) : key(k), value(v) {}
  LogField(std::string_view k, std::string v) : key(k), value(std::move(v)) {}
  template <std::integral N>
  LogField(std::string_view k, N v) : key(k), value(std::to_string(v)) {}
};

// Once, at start. Lines go to standard error: systemd and containers both collect that; the line is
// "2026-11-25T18:00:00.123Z ipmit-milter info event=decision queue_id=… …". Not thread-safe.
void start_log(std::string_view program, LogLevel lowest);
void set_log_level(LogLevel lowest);
LogLevel parse_log_level(std::string_view name, LogLevel otherwise);

// Writes one line: the constant event name, then the fields. A value with a blank, a quote, '=' or
// a control character is quoted and escaped, so one event is one line whatever a client sends.
// Thread-safe; may block on a full pipe, so never call it under a lock.
void log_event(LogLevel level, std::string_view event, std::initializer_list<LogField> fields);
bool log_enabled(LogLevel level);

}  // namespace ipmit::common
