// SPDX-License-Identifier: Apache-2.0
#include "events/log_follower.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/error.h"
#include "common/log.h"
#include "events/log_watch.h"

namespace ipmit::events {
namespace {

namespace fs = std::filesystem;

class OpenFile {
 public:
  OpenFile() = default;
  explicit OpenFile(const fs::path& path) : fd_(::open(path.c_str(), O_RDONLY | O_CLOEXEC)) {
    if (fd_ < 0 && errno != ENOENT) {
      throw common::TransientError(path.string() + ": " + std::strerror(errno));
    }
  }
  OpenFile(OpenFile&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  OpenFile& operator=(OpenFile&& other) noexcept {
    if (this != &other) {
      if (fd_ >= 0) ::close(fd_);
      fd_ = std::exchange(other.fd_, -1);
    }
    return *this;
  }
  ~OpenFile() {
    if (fd_ >= 0) ::close(fd_);
  }

  bool is_open() const { return fd_ >= 0; }
  int get() const { return fd_; }
  struct stat about() const {
    struct stat about {};
    if (::fstat(fd_, &about) != 0) throw common::TransientError("fstat of the log failed");
    return about;
  }
  std::size_t read_at(std::uint64_t offset, char* buffer, std::size_t size) const {
    for (;;) {
      const ssize_t got = ::pread(fd_, buffer, size, static_cast<off_t>(offset));
      if (got >= 0) return static_cast<std::size_t>(got);
      if (errno != EINTR) {
        throw common::TransientError(std::string("reading the log: ") + std::strerror(errno));
      }
    }
  }
  // Whether the file starts with what `cursor` saw at its start, and is as long as it was read.
  bool continues(const LogCursor& cursor) const {
    if (static_cast<std::uint64_t>(about().st_size) < cursor.offset) return false;
    std::array<char, LogCursor::kFingerprintBytes> head{};
    const std::size_t got = read_at(0, head.data(), cursor.fingerprint_bytes);
    return got == cursor.fingerprint_bytes &&
           fingerprint_of({head.data(), got}) == cursor.fingerprint;
  }

 private:
  int fd_ = -1;
};

std::uint64_t size_of(const OpenFile& file) {
  return static_cast<std::uint64_t>(file.about().st_size);
}

}  // namespace

struct LogFollower::Impl {
  Impl(fs::path file, const std::optional<LogCursor>& start) : path(std::move(file)), watch(path) {
    if (start) {
      resume(*start);
    } else {
      open(OpenFile(path), 0);
    }
  }

  void open(OpenFile file, std::uint64_t offset);
  void resume(const LogCursor& cursor);
  std::vector<fs::path> rotated_files() const;
  std::optional<LogLine> next_ready();
  enum class Step { kWait, kRead, kReread, kSwitch };
  Step next_step();
  void switch_file();
  bool was_truncated();
  void remember_head();

  fs::path path;
  LogWatch watch;
  OpenFile current;
  OpenFile successor;           // what next_step() found to switch to
  std::vector<fs::path> older;  // rotated files still to read, the oldest last
  std::uint64_t inode = 0;
  std::uint64_t base = 0;      // where in the file the cutter began
  std::uint64_t read_end = 0;  // next byte to read
  std::uint32_t head_bytes = 0;
  std::uint64_t head_sum = 0;
  std::unique_ptr<LineCutter> cutter;
  Counters counters;
};

void LogFollower::Impl::open(OpenFile file, std::uint64_t offset) {
  if (cutter) counters.cut_lines += cutter->cut_lines();
  current = std::move(file);  // may be the same one
  base = read_end = offset;
  head_bytes = 0;
  head_sum = fingerprint_of({});
  cutter = std::make_unique<LineCutter>([this](char* buffer, std::size_t size) -> std::size_t {
    // A file cut to zero may have grown beyond our place again before we look.
    if (!current.is_open() || was_truncated()) return 0;
    const std::size_t got = current.read_at(read_end, buffer, size);
    read_end += got;
    return got;
  });
  if (!current.is_open()) return;
  inode = current.about().st_ino;
  watch.watch(current.get());
  remember_head();
}

// The fingerprint grows with the file until it is complete.
void LogFollower::Impl::remember_head() {
  if (head_bytes == LogCursor::kFingerprintBytes || !current.is_open()) return;
  std::array<char, LogCursor::kFingerprintBytes> head{};
  const std::size_t got = current.read_at(0, head.data(), head.size());
  head_bytes = static_cast<std::uint32_t>(got);
  head_sum = fingerprint_of({head.data(), got});
}

// NAME.1, NAME-20261124 and the like, the newest first; compressed ones are out of reach.
std::vector<fs::path> LogFollower::Impl::rotated_files() const {
  std::vector<std::pair<fs::file_time_type, fs::path>> found;
  const std::string name = path.filename().string();
  const fs::path folder = path.has_parent_path() ? path.parent_path() : fs::path(".");
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(folder, error)) {
    const std::string other = entry.path().filename().string();
    if (other.size() <= name.size() + 1 || !other.starts_with(name)) continue;
    if (other[name.size()] != '.' && other[name.size()] != '-') continue;
    const auto time = entry.last_write_time(error);
    if (!error && entry.is_regular_file(error)) found.emplace_back(time, entry.path());
  }
  std::sort(found.begin(), found.end(), std::greater<>());
  std::vector<fs::path> paths;
  paths.reserve(found.size());
  for (auto& [time, file] : found) paths.push_back(std::move(file));
  return paths;
}

// Finds the file the cursor was in: the log itself, a rotated one, or the copy that copytruncate
// left. What was rotated after it is read too, then the log.
void LogFollower::Impl::resume(const LogCursor& cursor) {
  OpenFile log(path);
  if (log.is_open() && log.about().st_ino == cursor.inode && log.continues(cursor)) {
    return open(std::move(log), cursor.offset);
  }
  for (const fs::path& candidate : rotated_files()) {
    OpenFile file(candidate);
    if (file.is_open() && cursor.fingerprint_bytes > 0 && file.continues(cursor)) {
      ++counters.rotations;
      return open(std::move(file), cursor.offset);
    }
    older.push_back(candidate);
  }
  older.clear();
  if (cursor.offset > 0) {
    ++counters.lost;
    common::log_event(common::LogLevel::kWarn, "log_position_lost",
                      {{"file", path.string()}, {"offset", cursor.offset}});
  }
  open(std::move(log), 0);
}

bool LogFollower::Impl::was_truncated() {
  LogCursor seen;
  seen.offset = read_end;
  seen.fingerprint_bytes = head_bytes;
  seen.fingerprint = head_sum;
  return !current.continues(seen);
}

// What to do at the end of the current file.
LogFollower::Impl::Step LogFollower::Impl::next_step() {
  if (!current.is_open()) {
    successor = OpenFile(path);
    return successor.is_open() ? Step::kSwitch : Step::kWait;
  }
  if (was_truncated()) return Step::kReread;
  if (older.empty()) {
    successor = OpenFile(path);
    if (!successor.is_open() || successor.about().st_ino == inode) return Step::kWait;
    // The writer may still have the old file open; once it writes to the new one, it does not.
    if (size_of(successor) == 0) return Step::kWait;
  }
  // Written just before the change, and after we last looked.
  return size_of(current) > read_end ? Step::kRead : Step::kSwitch;
}

void LogFollower::Impl::switch_file() {
  if (!older.empty()) {
    successor = OpenFile(older.back());
    older.pop_back();
    if (!successor.is_open()) return;  // deleted meanwhile: then the one after it
  }
  if (current.is_open()) ++counters.rotations;
  open(std::move(successor), 0);
}

std::optional<LogLine> LogFollower::Impl::next_ready() {
  for (;;) {
    if (const auto line = cutter->next()) {
      remember_head();
      return line;
    }
    switch (next_step()) {
      case Step::kWait:
        return std::nullopt;
      case Step::kRead:
        break;
      case Step::kReread:
        ++counters.truncations;
        open(std::move(current), 0);
        break;
      case Step::kSwitch:
        // Nobody writes to it any more, so its last line is whole even without a newline.
        if (const auto line = cutter->rest()) return line;
        switch_file();
        break;
    }
  }
}

LogFollower::LogFollower(fs::path file, const std::optional<LogCursor>& start)
    : impl_(std::make_unique<Impl>(std::move(file), start)) {}

LogFollower::~LogFollower() = default;

std::optional<LogLine> LogFollower::next_ready() {
  return impl_->next_ready();
}

std::optional<LogLine> LogFollower::next(const std::stop_token& stop) {
  while (!stop.stop_requested()) {
    if (const auto line = impl_->next_ready()) return line;
    impl_->watch.wait(stop);
  }
  return std::nullopt;
}

LogCursor LogFollower::cursor() const {
  LogCursor cursor;
  cursor.inode = impl_->inode;
  cursor.offset = impl_->base + impl_->cutter->consumed_bytes();
  cursor.fingerprint_bytes = impl_->head_bytes;
  cursor.fingerprint = impl_->head_sum;
  return cursor;
}

LogFollower::Counters LogFollower::counters() const {
  Counters counters = impl_->counters;
  counters.cut_lines += impl_->cutter->cut_lines();
  return counters;
}

}  // namespace ipmit::events
