// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "events/log_lines.h"
#include "events/postfix_log.h"

namespace ipmit::events {

// Unwraps what carries the log lines. Each line is told by itself, so that formats may follow one
// another in one stream:
//   - a line of syslog or of maillog_file, as it is;
//   - Docker's json-file: {"log":"…\n","stream":"stdout","time":"…"}; parts without \n are joined;
//   - Kubernetes (CRI): 2026-11-24T17:24:14.123456789Z stdout F …; P parts are joined, by stream;
//   - journald as JSON (journalctl -o json): {"MESSAGE":"…","SYSLOG_IDENTIFIER":"postfix/smtp",…};
//   - journald's export format (journalctl -o export), binary fields included.
// Joined parts are cut at kMaxLogLineBytes and counted. One thread at a time.
class LogFraming {
 public:
  // The record's views live for the call only.
  using Sink = std::function<void(const LogRecord&)>;

  explicit LogFraming(Sink sink) : sink_(std::move(sink)) {}

  void add(const LogLine& line);
  // At the end of the input: reports an entry that was not closed.
  void finish();

  // Whether something read waits for its other part: a follower does not commit its cursor then.
  bool is_pending() const;

  struct Counters {
    std::uint64_t cut = 0;        // joined parts longer than the limit
    std::uint64_t malformed = 0;  // JSON or export entries that could not be read
  };
  const Counters& counters() const { return counters_; }

 private:
  struct Part {  // a line whose other parts are still to come
    std::string text;
    bool open = false;
    bool cut = false;
  };
  struct JournalEntry {
    std::string message, identifier, host, pid, time_us;
    bool open = false;
    void clear();
    std::string* field(std::string_view name);
  };

  void add_json(std::string_view text);
  bool add_cri(std::string_view text);
  void add_export(const LogLine& line);
  void add_binary(std::string_view text);
  void end_export();
  void join(Part& part, std::string_view text);
  void add_part(std::string_view stream, std::string_view text, bool last, std::string_view time);
  void report_line(std::string_view text, std::string_view time);
  void report_entry(const JournalEntry& entry);

  Sink sink_;
  Part parts_[2];  // stdout, stderr
  JournalEntry entry_;
  JournalEntry json_entry_;
  bool in_binary_ = false;
  std::string binary_name_;
  std::string binary_;  // the 8 bytes of length, then the value
  std::string scratch_;
  std::string text_;
  Counters counters_;
};

}  // namespace ipmit::events
