// SPDX-License-Identifier: Apache-2.0
#include "events/log_cursor.h"

#include <cerrno>
#include <charconv>
#include <cstring>
#include <fstream>
#include <iterator>

#include <fcntl.h>
#include <unistd.h>

#include "common/error.h"

namespace ipmit::events {
namespace {

constexpr std::string_view kMagic = "ipmit-cursor 1";

[[noreturn]] void fail(const std::filesystem::path& file, const char* what) {
  throw common::TransientError(file.string() + ": " + what + ": " + std::strerror(errno));
}

class Descriptor {
 public:
  Descriptor(const std::filesystem::path& file, int flags)
      : fd_(::open(file.c_str(), flags | O_CLOEXEC, 0640)) {
    if (fd_ < 0) fail(file, "open");
  }
  ~Descriptor() { ::close(fd_); }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const { return fd_; }

 private:
  int fd_;
};

bool take_number(std::string_view& rest, std::uint64_t& value) {
  if (!rest.starts_with(' ')) return false;
  rest.remove_prefix(1);
  const auto [end, error] = std::from_chars(rest.data(), rest.data() + rest.size(), value);
  if (error != std::errc{}) return false;
  rest.remove_prefix(static_cast<std::size_t>(end - rest.data()));
  return true;
}

}  // namespace

std::uint64_t fingerprint_of(std::string_view bytes) {
  std::uint64_t sum = 0xcbf29ce484222325U;
  for (const char byte : bytes) sum = (sum ^ static_cast<unsigned char>(byte)) * 0x100000001b3U;
  return sum;
}

std::string LogCursor::to_string() const {
  std::string text(kMagic);
  for (const std::uint64_t number :
       {inode, offset, std::uint64_t{fingerprint_bytes}, fingerprint}) {
    text += ' ';
    text += std::to_string(number);
  }
  return text;
}

std::optional<LogCursor> LogCursor::parse(std::string_view text) {
  if (!text.starts_with(kMagic)) return std::nullopt;
  text.remove_prefix(kMagic.size());
  LogCursor cursor;
  std::uint64_t bytes = 0;
  if (!take_number(text, cursor.inode) || !take_number(text, cursor.offset) ||
      !take_number(text, bytes) || !take_number(text, cursor.fingerprint) ||
      bytes > kFingerprintBytes || !text.empty()) {
    return std::nullopt;
  }
  cursor.fingerprint_bytes = static_cast<std::uint32_t>(bytes);
  return cursor;
}

void save_cursor(const std::filesystem::path& file, const LogCursor& cursor) {
  std::filesystem::path fresh = file;
  fresh += ".new";
  const std::string text = cursor.to_string() + "\n";
  {
    const Descriptor out(fresh, O_WRONLY | O_CREAT | O_TRUNC);
    if (::write(out.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size())) {
      fail(fresh, "write");
    }
    if (::fsync(out.get()) != 0) fail(fresh, "fsync");
  }
  if (::rename(fresh.c_str(), file.c_str()) != 0) fail(file, "rename");
  const auto folder = file.has_parent_path() ? file.parent_path() : std::filesystem::path(".");
  const Descriptor directory(folder, O_RDONLY | O_DIRECTORY);
  if (::fsync(directory.get()) != 0) fail(folder, "fsync");
}

std::optional<LogCursor> load_cursor(const std::filesystem::path& file) {
  if (!std::filesystem::exists(file)) return std::nullopt;
  std::ifstream in(file, std::ios::binary);
  if (!in) throw common::TransientError(file.string() + ": cannot be read");
  std::string text(std::istreambuf_iterator<char>(in), {});
  if (text.ends_with('\n')) text.pop_back();
  const auto cursor = LogCursor::parse(text);
  if (!cursor) {
    throw common::PermanentError(file.string() +
                                 ": not a cursor; remove it to read the log from its start");
  }
  return cursor;
}

}  // namespace ipmit::events
