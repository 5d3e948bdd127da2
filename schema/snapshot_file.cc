// SPDX-License-Identifier: Apache-2.0
#include "schema/snapshot_file.h"

#include <array>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <system_error>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/error.h"
#include "common/secret_box.h"
#include "schema/rule_codec.h"

namespace ipmit::schema {
namespace {

// Head, all integers little-endian: magic (8 bytes), format version (4), size of what follows the
// head (8), its checksum (16). Then: saved_at in milliseconds (8), length of epoch (1), epoch,
// rules.
constexpr std::string_view kMagic = "ipmitrul";
constexpr std::uint32_t kVersion = 1;
constexpr std::size_t kSumBytes = 16;
constexpr std::size_t kHeadBytes = 8 + 4 + 8 + kSumBytes;
constexpr std::size_t kMaxEpoch = 255;

std::string errno_text() {
  return std::generic_category().message(errno);
}

void put(std::string& out, std::uint64_t value, std::size_t bytes) {
  for (std::size_t i = 0; i < bytes; ++i) out.push_back(static_cast<char>(value >> (8 * i) & 0xff));
}

std::uint64_t get(std::string_view in, std::size_t bytes) {
  std::uint64_t value = 0;
  for (std::size_t i = bytes; i-- > 0;) value = value << 8 | static_cast<unsigned char>(in[i]);
  return value;
}

class Fd {
 public:
  explicit Fd(int fd) : fd_(fd) {}
  ~Fd() {
    if (fd_ >= 0) ::close(fd_);
  }
  Fd(const Fd&) = delete;
  Fd& operator=(const Fd&) = delete;
  int get() const { return fd_; }
  bool is_open() const { return fd_ >= 0; }

 private:
  int fd_;
};

bool write_all(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t n = ::write(fd, bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(n));
  }
  return true;
}

bool set_time(int fd, common::TimePoint time) {
  const auto since_epoch = time.time_since_epoch();
  const auto seconds = std::chrono::floor<std::chrono::seconds>(since_epoch);
  timespec stamp{};
  stamp.tv_sec = seconds.count();
  stamp.tv_nsec = std::chrono::nanoseconds(since_epoch - seconds).count();
  const timespec both[2] = {stamp, stamp};
  return ::futimens(fd, both) == 0;
}

bool write_durably(const std::filesystem::path& path, std::string_view bytes,
                   common::TimePoint time) {
  const Fd file(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640));
  return file.is_open() && write_all(file.get(), bytes) && set_time(file.get(), time) &&
         ::fsync(file.get()) == 0;
}

// So that the rename survives a power cut too; a file system that cannot sync folders is not held
// against the file that is already there.
void sync_folder(const std::filesystem::path& path) {
  const auto folder = path.has_parent_path() ? path.parent_path() : std::filesystem::path(".");
  const Fd fd(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (fd.is_open()) ::fsync(fd.get());
}

[[noreturn]] void fail_to_write(const std::filesystem::path& path, const std::string& reason) {
  throw common::TransientError("rule snapshot " + path.string() + ": " + reason);
}

[[noreturn]] void refuse(const std::filesystem::path& path, const std::string& reason) {
  throw common::PermanentError("rule snapshot " + path.string() + ": " + reason);
}

struct Content {
  std::string bytes;
  common::TimePoint time{};
};

std::optional<Content> read_file(const std::filesystem::path& path) {
  const Fd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file.is_open() && errno == ENOENT) return std::nullopt;
  struct stat status {};
  if (!file.is_open() || ::fstat(file.get(), &status) != 0) refuse(path, errno_text());
  if (!S_ISREG(status.st_mode)) refuse(path, "is not a file");
  std::string bytes(static_cast<std::size_t>(status.st_size), '\0');
  std::size_t used = 0;
  while (used < bytes.size()) {
    const ssize_t n = ::read(file.get(), bytes.data() + used, bytes.size() - used);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) refuse(path, errno_text());
    if (n == 0) break;
    used += static_cast<std::size_t>(n);
  }
  bytes.resize(used);
  const std::chrono::nanoseconds rest(status.st_mtim.tv_nsec);
  return Content{std::move(bytes), common::TimePoint(std::chrono::seconds(status.st_mtim.tv_sec) +
                                                     std::chrono::floor<common::Duration>(rest))};
}

// What follows the head, once the head and the checksum hold.
std::string_view checked_body(const std::filesystem::path& path, std::string_view bytes) {
  if (bytes.size() < kHeadBytes) refuse(path, "is cut: shorter than its head");
  if (bytes.substr(0, 8) != kMagic) refuse(path, "is not a rule snapshot");
  const std::uint64_t version = get(bytes.substr(8), 4);
  if (version != kVersion)
    refuse(path, "has format " + std::to_string(version) + ", this program reads format " +
                     std::to_string(kVersion));
  const std::uint64_t size = get(bytes.substr(12), 8);
  const std::string_view sum = bytes.substr(20, kSumBytes);
  const std::string_view body = bytes.substr(kHeadBytes);
  if (body.size() != size)
    refuse(path, "is damaged: " + std::to_string(body.size()) + " bytes where its head says " +
                     std::to_string(size));
  const auto want = common::checksum(body);
  if (std::memcmp(want.data(), sum.data(), kSumBytes) != 0)
    refuse(path, "is damaged: its checksum does not match");
  return body;
}

}  // namespace

void save_rules(const std::filesystem::path& path, const policy::MitigationSet::Source& set,
                const std::string& epoch, common::TimePoint confirmed_at) {
  std::string bytes;
  bytes.reserve(kHeadBytes + 1 + epoch.size() + set.mitigations.size() * 100);
  bytes.assign(kHeadBytes, '\0');
  const std::string_view kept_epoch = std::string_view(epoch).substr(0, kMaxEpoch);
  put(bytes, kept_epoch.size(), 1);
  bytes.append(kept_epoch);
  pack_rules(set, bytes);

  const std::string_view body = std::string_view(bytes).substr(kHeadBytes);
  const auto sum = common::checksum(body);
  std::string head(kMagic);
  put(head, kVersion, 4);
  put(head, body.size(), 8);
  head.append(reinterpret_cast<const char*>(sum.data()), sum.size());
  bytes.replace(0, kHeadBytes, head);

  const std::filesystem::path aside = path.string() + ".new";
  if (!write_durably(aside, bytes, confirmed_at) || ::rename(aside.c_str(), path.c_str()) != 0) {
    const std::string reason = errno_text();
    ::unlink(aside.c_str());
    fail_to_write(path, reason);
  }
  sync_folder(path);
}

void confirm_rules(const std::filesystem::path& path, common::TimePoint confirmed_at) {
  const Fd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file.is_open() || !set_time(file.get(), confirmed_at)) fail_to_write(path, errno_text());
}

std::optional<SavedRules> load_rules(const std::filesystem::path& path) {
  const auto content = read_file(path);
  if (!content) return std::nullopt;
  const std::string_view body = checked_body(path, content->bytes);
  if (body.empty()) refuse(path, "is damaged: no rules in it");
  const std::size_t epoch_size = static_cast<unsigned char>(body.front());
  if (body.size() < 1 + epoch_size) refuse(path, "is damaged: its epoch is cut");
  SavedRules saved;
  saved.confirmed_at = content->time;
  saved.epoch = body.substr(1, epoch_size);
  auto set = unpack_rules(body.substr(1 + epoch_size));
  if (!set) refuse(path, "is damaged: " + set.problem());
  saved.set = std::move(set).value();
  return saved;
}

}  // namespace ipmit::schema
