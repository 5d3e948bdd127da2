// SPDX-License-Identifier: Apache-2.0
#include "events/log_lines.h"

#include <cstring>
#include <utility>

namespace ipmit::events {

LineCutter::LineCutter(Source source)
    : source_(std::move(source)), buffer_(new char[kBufferBytes]) {}

bool LineCutter::fill() {
  if (begin_ > 0 && kBufferBytes - end_ < kMaxLogLineBytes) {
    std::memmove(buffer_.get(), buffer_.get() + begin_, end_ - begin_);
    scanned_ -= begin_;
    end_ -= begin_;
    begin_ = 0;
  }
  const std::size_t got = source_(buffer_.get() + end_, kBufferBytes - end_);
  end_ += got;
  return got > 0;
}

// Drops the rest of a line that was returned cut.
std::optional<LogLine> LineCutter::skip_to_newline() {
  for (;;) {
    const char* start = buffer_.get() + begin_;
    const void* newline = std::memchr(start, '\n', end_ - begin_);
    const std::size_t dropped =
        newline == nullptr
            ? end_ - begin_
            : static_cast<std::size_t>(static_cast<const char*>(newline) - start) + 1;
    begin_ += dropped;
    consumed_ += dropped;
    scanned_ = begin_;
    if (newline != nullptr) {
      skipping_ = false;
      return next();
    }
    begin_ = scanned_ = end_ = 0;
    if (!fill()) return std::nullopt;
  }
}

std::optional<LogLine> LineCutter::next() {
  if (skipping_) return skip_to_newline();
  for (;;) {
    const char* start = buffer_.get() + scanned_;
    if (const void* found = std::memchr(start, '\n', end_ - scanned_); found != nullptr) {
      const auto newline =
          static_cast<std::size_t>(static_cast<const char*>(found) - buffer_.get());
      if (newline - begin_ <= kMaxLogLineBytes) {
        const LogLine line{{buffer_.get() + begin_, newline - begin_}, false};
        consumed_ += newline + 1 - begin_;
        begin_ = scanned_ = newline + 1;
        return line;
      }
    }
    if (end_ - begin_ > kMaxLogLineBytes) {
      const LogLine line{{buffer_.get() + begin_, kMaxLogLineBytes}, true};
      consumed_ += kMaxLogLineBytes;
      begin_ += kMaxLogLineBytes;
      scanned_ = begin_;
      skipping_ = true;
      ++cut_lines_;
      return line;
    }
    scanned_ = end_;
    if (!fill()) return std::nullopt;
  }
}

std::optional<LogLine> LineCutter::rest() {
  if (begin_ == end_ || skipping_) return std::nullopt;
  const LogLine line{{buffer_.get() + begin_, end_ - begin_}, false};
  consumed_ += end_ - begin_;
  begin_ = scanned_ = end_;
  return line;
}

}  // namespace ipmit::events
