// SPDX-License-Identifier: Apache-2.0
#include "events/log_framing.h"

#include <charconv>

#include "common/clock.h"
#include "events/flat_json.h"

namespace ipmit::events {
namespace {

using std::string_view;

constexpr std::size_t kLengthBytes = 8;  // of a binary field of the export format, little endian

// A field of the export format: "NAME=value", names in capitals, digits and '_'. Postfix's own
// lines never look like that, as their first word is a time.
std::size_t export_name_length(string_view text) {
  std::size_t pos = 0;
  while (pos < text.size() && ((text[pos] >= 'A' && text[pos] <= 'Z') || text[pos] == '_' ||
                               (pos > 0 && text[pos] >= '0' && text[pos] <= '9'))) {
    ++pos;
  }
  return pos;
}

}  // namespace

void LogFraming::JournalEntry::clear() {
  for (std::string* field : {&message, &identifier, &host, &pid, &time_us}) field->clear();
  open = false;
}

std::string* LogFraming::JournalEntry::field(string_view name) {
  if (name == "MESSAGE") return &message;
  if (name == "SYSLOG_IDENTIFIER") return &identifier;
  if (name == "_HOSTNAME") return &host;
  if (name == "SYSLOG_PID" || (name == "_PID" && pid.empty())) return &pid;
  if (name == "__REALTIME_TIMESTAMP") return &time_us;
  return nullptr;
}

bool LogFraming::is_pending() const {
  return parts_[0].open || parts_[1].open || entry_.open;
}

void LogFraming::add(const LogLine& line) {
  if (entry_.open) return add_export(line);
  const string_view text = line.text;
  const char first = text.empty() ? '\0' : text.front();
  if (first == '{') return add_json(text);
  if (first >= '0' && first <= '9' && add_cri(text)) return;
  // The first field of an entry is its cursor.
  if (first == '_' && text.starts_with("__CURSOR=")) return add_export(line);
  report_line(text, {});
}

void LogFraming::finish() {
  for (Part& part : parts_) {
    if (!part.open) continue;
    part.open = false;
    report_line(part.text, {});
  }
  if (entry_.open) end_export();
}

void LogFraming::report_line(string_view text, string_view time) {
  LogRecord record = parse_log_line(text);
  if (!time.empty()) record.time = common::parse_rfc3339(time);
  sink_(record);
}

void LogFraming::join(Part& part, string_view text) {
  if (!part.open) {
    part.text.clear();
    part.cut = false;
    part.open = true;
  }
  const std::size_t room = kMaxLogLineBytes - part.text.size();
  if (text.size() > room && !part.cut) {
    part.cut = true;
    ++counters_.cut;
  }
  part.text.append(text.substr(0, room));
}

void LogFraming::add_part(string_view stream, string_view text, bool last, string_view time) {
  Part& part = parts_[stream == "stderr" ? 1 : 0];
  if (last && !part.open) return report_line(text, time);
  join(part, text);
  if (!last) return;
  part.open = false;
  report_line(part.text, time);
}

// TIME SP (stdout|stderr) SP TAG[:TAG…] SP text; the first tag is F or P.
bool LogFraming::add_cri(string_view text) {
  const std::size_t time_end = text.find(' ');
  if (time_end == string_view::npos || time_end < 20) return false;
  string_view rest = text.substr(time_end + 1);
  const string_view stream = rest.substr(0, 6);
  if ((stream != "stdout" && stream != "stderr") || rest.size() < 9 || rest[6] != ' ') return false;
  rest.remove_prefix(7);
  const bool last = rest[0] == 'F';
  if ((!last && rest[0] != 'P') || (rest[1] != ' ' && rest[1] != ':')) return false;
  const std::size_t tags_end = rest.find(' ');
  if (tags_end == string_view::npos) return false;
  add_part(stream, rest.substr(tags_end + 1), last, text.substr(0, time_end));
  return true;
}

void LogFraming::add_json(string_view text) {
  string_view stream = "stdout";
  std::string time;
  bool docker = false;
  json_entry_.clear();
  const bool whole = read_flat_json(text, scratch_, [&](string_view key, string_view value) {
    if (key == "log") {
      docker = true;
      text_ = value;
    } else if (key == "stream") {
      stream = value == "stderr" ? "stderr" : "stdout";
    } else if (key == "time") {
      time = value;
    } else if (std::string* field = json_entry_.field(key); field != nullptr) {
      *field = value;
    }
  });
  if (whole && docker) {
    const bool last = !text_.empty() && text_.back() == '\n';
    return add_part(stream, string_view(text_).substr(0, text_.size() - (last ? 1 : 0)), last,
                    time);
  }
  if (whole && !json_entry_.message.empty()) return report_entry(json_entry_);
  ++counters_.malformed;
  LogRecord unreadable;
  unreadable.message = text;
  sink_(unreadable);
}

void LogFraming::add_export(const LogLine& line) {
  if (in_binary_) return add_binary(line.text);
  if (line.text.empty()) return end_export();
  entry_.open = true;
  const std::size_t length = export_name_length(line.text);
  if (length == 0 || line.cut || (length < line.text.size() && line.text[length] != '=')) {
    ++counters_.malformed;
    if (!line.cut) entry_.clear();  // lost its way: look at each line anew
    return;
  }
  const string_view name = line.text.substr(0, length);
  if (length == line.text.size()) {  // the value follows in binary
    in_binary_ = true;
    binary_name_ = name;
    binary_.clear();
    return;
  }
  if (std::string* field = entry_.field(name); field != nullptr) {
    *field = line.text.substr(length + 1);
  }
}

// Lines are put together again until the length that the field begins with is reached.
void LogFraming::add_binary(string_view text) {
  binary_.append(text);
  std::uint64_t length = 0;
  if (binary_.size() >= kLengthBytes) {
    for (std::size_t i = kLengthBytes; i-- > 0;) {
      length = length << 8 | static_cast<unsigned char>(binary_[i]);
    }
  }
  const bool complete = binary_.size() >= kLengthBytes && binary_.size() - kLengthBytes >= length;
  if (!complete && binary_.size() < 2 * kMaxLogLineBytes) {
    binary_ += '\n';
    return;
  }
  in_binary_ = false;
  if (!complete || binary_.size() - kLengthBytes != length) {
    ++counters_.malformed;
    entry_.clear();
    return;
  }
  if (std::string* field = entry_.field(binary_name_); field != nullptr) {
    *field = string_view(binary_).substr(kLengthBytes, kMaxLogLineBytes);
  }
}

void LogFraming::end_export() {
  if (in_binary_) ++counters_.malformed;
  in_binary_ = false;
  if (!entry_.message.empty()) report_entry(entry_);
  entry_.clear();
}

void LogFraming::report_entry(const JournalEntry& entry) {
  LogRecord record;
  record.host = entry.host;
  set_program(entry.identifier, record);
  const auto read = [](const std::string& text, auto& value) {
    return std::from_chars(text.data(), text.data() + text.size(), value).ec == std::errc{};
  };
  if (!read(entry.pid, record.pid)) record.pid = -1;
  // A century of microseconds, so that nonsense does not overflow.
  std::int64_t time_us = 0;
  if (read(entry.time_us, time_us) && time_us > 0 && time_us < 4'102'444'800'000'000) {
    record.time = common::TimePoint(common::Duration(time_us / 1000));
    record.timestamp = entry.time_us;
  }
  parse_log_message(entry.message, record);
  sink_(record);
}

}  // namespace ipmit::events
