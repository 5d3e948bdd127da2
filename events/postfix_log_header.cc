// SPDX-License-Identifier: Apache-2.0
#include <charconv>

#include "events/postfix_log.h"

namespace ipmit::events {
namespace {

constexpr bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

constexpr bool is_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

// "17:24:14", with or without fraction, at `pos`; the end of it, or 0.
std::size_t clock_end(std::string_view line, std::size_t pos) {
  if (line.size() < pos + 8 || line[pos + 2] != ':' || line[pos + 5] != ':') return 0;
  for (const std::size_t i : {0U, 1U, 3U, 4U, 6U, 7U}) {
    if (!is_digit(line[pos + i])) return 0;
  }
  pos += 8;
  if (pos + 1 < line.size() && line[pos] == '.' && is_digit(line[pos + 1])) {
    for (++pos; pos < line.size() && is_digit(line[pos]);) ++pos;
  }
  return pos;
}

// "Nov 24 17:24:14", "Jul  5 06:52:11", "Jul 5 06:52:11".
std::size_t rfc3164_end(std::string_view line) {
  if (line.size() < 14 || line[3] != ' ') return 0;
  if (!is_letter(line[0]) || !is_letter(line[1]) || !is_letter(line[2])) return 0;
  std::size_t pos = 4;
  if (line[pos] == ' ') ++pos;
  const std::size_t day = pos;
  while (pos < line.size() && pos < day + 2 && is_digit(line[pos])) ++pos;
  if (pos == day || pos >= line.size() || line[pos] != ' ') return 0;
  return clock_end(line, pos + 1);
}

// "2026-11-24T17:24:14.039595+01:00", "…Z", "…+0100", "…T17:24:14" (no zone).
std::size_t rfc3339_end(std::string_view line) {
  if (line.size() < 19 || line[4] != '-' || line[7] != '-') return 0;
  if (line[10] != 'T' && line[10] != 't') return 0;
  for (const std::size_t i : {0U, 1U, 2U, 3U, 5U, 6U, 8U, 9U}) {
    if (!is_digit(line[i])) return 0;
  }
  std::size_t pos = clock_end(line, 11);
  if (pos == 0 || pos >= line.size()) return pos;
  if (line[pos] == 'Z' || line[pos] == 'z') return pos + 1;
  if (line[pos] == '+' || line[pos] == '-') {
    for (++pos; pos < line.size() && (is_digit(line[pos]) || line[pos] == ':');) ++pos;
  }
  return pos;
}

std::string_view take_word(std::string_view& rest) {
  const std::size_t end = rest.find(' ');
  const std::string_view word = rest.substr(0, end);
  rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
  return word;
}

std::int32_t to_pid(std::string_view digits) {
  std::int32_t pid = -1;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), pid);
  return error == std::errc{} && end == digits.data() + digits.size() && pid >= 0 ? pid : -1;
}

// "<22>" in front of the time stamp, as sent over the network.
void skip_priority(std::string_view& line) {
  if (line.empty() || line.front() != '<') return;
  std::size_t pos = 1;
  while (pos < line.size() && pos < 4 && is_digit(line[pos])) ++pos;
  if (pos > 1 && pos < line.size() && line[pos] == '>') line.remove_prefix(pos + 1);
}

// "postfix/smtp[10407]: " or "postfix/smtp: ". False if there is no tag: then nothing is taken.
bool take_tag(std::string_view& rest, LogRecord& record) {
  std::size_t pos = 0;
  std::size_t bracket = std::string_view::npos;
  for (; pos < rest.size() && rest[pos] != ' '; ++pos) {
    if (rest[pos] == '[' && bracket == std::string_view::npos) bracket = pos;
    if (rest[pos] == ':' && (pos + 1 == rest.size() || rest[pos + 1] == ' ')) break;
  }
  if (pos == 0 || pos >= rest.size() || rest[pos] != ':') return false;
  std::string_view tag = rest.substr(0, pos);
  if (bracket != std::string_view::npos && tag.back() == ']') {
    record.pid = to_pid(tag.substr(bracket + 1, tag.size() - bracket - 2));
    tag = tag.substr(0, bracket);
  }
  set_program(tag, record);
  rest.remove_prefix(pos + 1 < rest.size() ? pos + 2 : pos + 1);
  return true;
}

// RFC 5424 section 6: VERSION SP TIMESTAMP SP HOST SP APP-NAME SP PROCID SP MSGID SP SD [SP MSG].
bool take_rfc5424(std::string_view line, LogRecord& record) {
  if (line.size() < 3 || line[0] != '1' || line[1] != ' ') return false;
  line.remove_prefix(2);
  const std::size_t end = rfc3339_end(line);
  if (end == 0 || end >= line.size() || line[end] != ' ') return false;
  record.timestamp = line.substr(0, end);
  line.remove_prefix(end + 1);
  record.host = take_word(line);
  set_program(take_word(line), record);
  record.pid = to_pid(take_word(line));
  take_word(line);  // MSGID
  if (line.starts_with('[')) {
    const std::size_t close = line.find("] ");
    line.remove_prefix(close == std::string_view::npos ? line.size() : close + 2);
  } else {
    take_word(line);  // "-"
  }
  if (line.starts_with("\xef\xbb\xbf")) line.remove_prefix(3);
  record.message = line;
  return true;
}

// Solaris syslog: "[ID 197553 mail.info] " between tag and message.
void skip_message_number(std::string_view& rest) {
  if (!rest.starts_with("[ID ")) return;
  const std::size_t close = rest.find("] ");
  if (close != std::string_view::npos) rest.remove_prefix(close + 2);
}

}  // namespace

void set_program(std::string_view tag, LogRecord& record) {
  record.program = tag;
  const std::size_t last = tag.rfind('/');
  if (last == std::string_view::npos) {
    record.service = tag;
    return;
  }
  record.instance = tag.substr(0, tag.find('/'));
  record.service = tag.substr(last + 1);
}

LogRecord parse_log_line(std::string_view line) {
  LogRecord record;
  while (!line.empty() && (line.back() == '\r' || line.back() == '\n')) line.remove_suffix(1);
  std::string_view rest = line;
  skip_priority(rest);
  if (take_rfc5424(rest, record)) {
    parse_log_message(record.message, record);
    return record;
  }
  const std::size_t end =
      !rest.empty() && is_digit(rest[0]) ? rfc3339_end(rest) : rfc3164_end(rest);
  if (end == 0 || end >= rest.size() || rest[end] != ' ') {
    parse_log_message(line, record);
    return record;
  }
  record.timestamp = rest.substr(0, end);
  rest.remove_prefix(end + 1);
  // A tag where the host name should be: a logger that leaves the host out.
  if (!take_tag(rest, record)) {
    record.host = take_word(rest);
    if (!take_tag(rest, record)) {
      record.message = rest;
      return record;
    }
  }
  skip_message_number(rest);
  parse_log_message(rest, record);
  return record;
}

}  // namespace ipmit::events
