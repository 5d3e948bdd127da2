// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string_view>

namespace ipmit::events {

// Longer lines are cut here. Postfix writes at most 2 kB a line and syslog daemons pass on 8 kB or
// less, so what is longer is not a line of ours.
inline constexpr std::size_t kMaxLogLineBytes = 64 * 1024;

struct LogLine {
  std::string_view text;  // without newline; valid until the next call of the reader
  bool cut = false;       // only the first kMaxLogLineBytes of it
};

// Cuts a stream of bytes into lines, in a buffer of fixed size, so that a line of a gigabyte or a
// file of NULs costs no memory. One thread at a time.
class LineCutter {
 public:
  // Reads up to `size` bytes into `buffer`; 0 = nothing more for now. May block; may throw.
  using Source = std::function<std::size_t(char* buffer, std::size_t size)>;

  explicit LineCutter(Source source);

  // nullopt when the source has nothing more for now; a begun line waits for its newline.
  std::optional<LogLine> next();
  // What waits for a newline that will not come: the end of a file. nullopt if nothing.
  std::optional<LogLine> rest();

  // Bytes of the stream up to the end of the last line returned (of a cut one: its newline).
  std::uint64_t consumed_bytes() const { return consumed_; }
  std::uint64_t cut_lines() const { return cut_lines_; }

 private:
  bool fill();
  std::optional<LogLine> skip_to_newline();

  static constexpr std::size_t kBufferBytes = 4 * kMaxLogLineBytes;
  Source source_;
  std::unique_ptr<char[]> buffer_;
  std::size_t begin_ = 0;    // of the unread bytes
  std::size_t scanned_ = 0;  // no newline before this
  std::size_t end_ = 0;
  bool skipping_ = false;  // inside the cut part of a line
  std::uint64_t consumed_ = 0;
  std::uint64_t cut_lines_ = 0;
};

}  // namespace ipmit::events
