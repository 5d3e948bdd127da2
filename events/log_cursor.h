// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

namespace ipmit::events {

// A place in a log file that is found again after a restart and after rotation: inode and offset,
// and a fingerprint of the file's first bytes, because inodes are used again and copytruncate keeps
// them.
struct LogCursor {
  static constexpr std::size_t kFingerprintBytes = 256;

  std::uint64_t inode = 0;
  std::uint64_t offset = 0;             // of the next line
  std::uint32_t fingerprint_bytes = 0;  // how many of the first bytes are in it; 0: none were there
  std::uint64_t fingerprint = 0;

  // "ipmit-cursor 1 INODE OFFSET BYTES FINGERPRINT", without newline.
  std::string to_string() const;
  static std::optional<LogCursor> parse(std::string_view text);

  friend bool operator==(const LogCursor&, const LogCursor&) = default;
};

// FNV-1a of `bytes`.
std::uint64_t fingerprint_of(std::string_view bytes);

// Durable: after save_cursor returns the cursor survives a power cut, and a crash in the middle
// leaves the one before. nullopt from load_cursor: no such file. TransientError if the disk does
// not comply; PermanentError for a file that is not a cursor, for starting anew silently would lose
// lines.
void save_cursor(const std::filesystem::path& file, const LogCursor& cursor);
std::optional<LogCursor> load_cursor(const std::filesystem::path& file);

}  // namespace ipmit::events
