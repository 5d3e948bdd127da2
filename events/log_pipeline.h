// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>

#include "common/clock.h"
#include "events/log_clock.h"
#include "events/log_framing.h"
#include "events/message_tracker.h"

namespace ipmit::events {

// From lines to delivery events: framing, parser, clock and tracker in a row, for whoever reads a
// mail log (agent, detector, ipmitctl). One log a pipeline; one thread at a time.
class LogPipeline {
 public:
  struct Options {
    common::TimePoint reference{};             // see LogClock
    std::optional<std::chrono::minutes> zone;  // see LogClock
    MessageTracker::Limits limits;
  };

  LogPipeline(const Options& options, MessageTracker::Sink sink)
      : clock_(options.reference, options.zone),
        tracker_(options.limits, std::move(sink)),
        framing_([this](const LogRecord& record) { add_record(record); }) {}
  LogPipeline(const LogPipeline&) = delete;
  LogPipeline& operator=(const LogPipeline&) = delete;

  void add(const LogLine& line) {
    ++lines_;
    framing_.add(line);
  }
  void finish() { framing_.finish(); }

  // While true, a cursor must not be committed: part of an entry was read, the rest was not.
  bool is_pending() const { return framing_.is_pending(); }

  MessageTracker& tracker() { return tracker_; }
  const LogFraming::Counters& framing_counters() const { return framing_.counters(); }
  std::uint64_t lines() const { return lines_; }
  // Lines that have no readable time, so that no event can be made of them.
  std::uint64_t untimed() const { return untimed_; }

 private:
  void add_record(const LogRecord& record) {
    if (record.kind == LogKind::kOther) return;
    const auto time = record.time ? record.time : clock_.read(record.timestamp);
    if (time) {
      tracker_.add(record, *time, lines_);
    } else {
      ++untimed_;
    }
  }

  LogClock clock_;
  MessageTracker tracker_;
  LogFraming framing_;
  std::uint64_t lines_ = 0;
  std::uint64_t untimed_ = 0;
};

}  // namespace ipmit::events
