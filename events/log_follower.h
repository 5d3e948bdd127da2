// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <stop_token>

#include "events/log_cursor.h"
#include "events/log_lines.h"

namespace ipmit::events {

// Reads a log file for ever, across rotation by rename and by copytruncate and across restarts.
// Lines come at least once: the caller takes cursor() after lines it has dealt with and saves it;
// a follower started with that cursor goes on behind them. A rotated file is read to its end before
// the new one is begun; after a restart it is looked for beside the log, as NAME.* or NAME-*.
// Belongs to one thread.
class LogFollower {
 public:
  // `start`: from load_cursor; nullopt reads the file from its first line. A log that does not
  // exist yet is waited for, its folder must exist. PermanentError if that cannot be watched.
  LogFollower(std::filesystem::path file, const std::optional<LogCursor>& start);
  ~LogFollower();
  LogFollower(const LogFollower&) = delete;
  LogFollower& operator=(const LogFollower&) = delete;

  // The next line, which lives until the next call. Blocks until there is one: nullopt only when
  // `stop` is requested. TransientError if the file cannot be read: the same call may be repeated.
  std::optional<LogLine> next(const std::stop_token& stop);
  // The same without waiting: nullopt also when nothing more has been written.
  std::optional<LogLine> next_ready();

  // Behind the last line returned.
  LogCursor cursor() const;

  struct Counters {
    std::uint64_t rotations = 0;    // went on to another file
    std::uint64_t truncations = 0;  // the file was cut to zero (copytruncate)
    std::uint64_t lost = 0;         // the cursor's file was not found: lines between may be missing
    std::uint64_t cut_lines = 0;    // longer than kMaxLogLineBytes
  };
  Counters counters() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace ipmit::events
