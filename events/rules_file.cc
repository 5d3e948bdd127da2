// SPDX-License-Identifier: Apache-2.0
#include "events/rules_file.h"

#include <cerrno>
#include <cstring>
#include <utility>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/descriptor.h"

namespace ipmit::events {
namespace {

// File systems stamp with the tick of the kernel, some with whole seconds; FAT with two.
constexpr std::int64_t kSettledNs = 3'000'000'000;

std::int64_t nanoseconds(const timespec& time) {
  return static_cast<std::int64_t>(time.tv_sec) * 1'000'000'000 + time.tv_nsec;
}

// False with errno set; false with EFBIG beyond `most` bytes.
bool read_all(int fd, std::size_t most, std::string& text) {
  char buffer[64 * 1024];
  for (;;) {
    const ssize_t got = ::read(fd, buffer, sizeof buffer);
    if (got == 0) return true;
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return false;
    text.append(buffer, static_cast<std::size_t>(got));
    if (text.size() > most) {
      errno = EFBIG;
      return false;
    }
  }
}

}  // namespace

std::optional<RulesFile::Version> RulesFile::version_of(const std::string& path) {
  struct stat about {};
  if (::stat(path.c_str(), &about) != 0) return std::nullopt;
  return Version{about.st_dev, about.st_ino, static_cast<std::uint64_t>(about.st_size),
                 nanoseconds(about.st_mtim)};
}

RulesFile::Read RulesFile::read_file(const std::string& path) {
  Read out;
  const common::Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY));
  struct stat about {};
  // Its marks are taken before it is read: a change meanwhile makes the next look read again.
  const bool is_open = file.fd() >= 0 && ::fstat(file.fd(), &about) == 0;
  if (!is_open || !read_all(file.fd(), kMaxBytes, out.text)) {
    out.problem = path + ": cannot read: " + std::strerror(errno);
    out.text.clear();
  }
  if (!is_open) return out;
  out.version = {about.st_dev, about.st_ino, static_cast<std::uint64_t>(about.st_size),
                 nanoseconds(about.st_mtim)};
  out.is_regular = S_ISREG(about.st_mode);
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME, &now);
  out.is_settled = nanoseconds(now) - out.version.modified_ns > kSettledNs;
  return out;
}

common::Result<std::unique_ptr<RulesFile>> RulesFile::open(std::string path, Compile compile,
                                                           Report report) {
  const Read read = read_file(path);
  if (!read.problem.empty()) return common::Problem{read.problem};
  auto rules = compile(read.text);
  if (!rules) return common::Problem{rules.problem()};
  if (!read.is_regular) return std::make_unique<RulesFile>(*std::move(rules));
  return std::unique_ptr<RulesFile>(new RulesFile(std::move(path), std::move(compile),
                                                  std::move(report), read, *std::move(rules)));
}

RulesFile::RulesFile(BounceRules rules)
    : snapshot_(std::make_shared<const BounceRules>(std::move(rules))) {}

RulesFile::RulesFile(std::string path, Compile compile, Report report, const Read& read,
                     BounceRules rules)
    : path_(std::move(path)),
      compile_(std::move(compile)),
      report_(std::move(report)),
      snapshot_(std::make_shared<const BounceRules>(std::move(rules))),
      last_(read) {}

std::shared_ptr<const BounceRules> RulesFile::rules() {
  return path_.empty() ? snapshot_.current() : rules(std::chrono::steady_clock::now());
}

std::shared_ptr<const BounceRules> RulesFile::rules(Steady now) {
  const Steady::rep at = now.time_since_epoch().count();
  Steady::rep due = next_look_.load(std::memory_order_relaxed);
  // Of several threads one looks.
  if (!path_.empty() && at >= due &&
      next_look_.compare_exchange_strong(due, at + Steady::duration(kEvery).count()))
    look();
  return snapshot_.current();
}

bool RulesFile::look() {
  if (path_.empty()) return false;
  std::string problem;
  bool changed = false;
  {
    const std::lock_guard lock(looking_);
    changed = take_changes(problem);
  }
  if (!problem.empty()) report_(problem);
  return changed;
}

bool RulesFile::take_changes(std::string& problem) {
  if (last_.is_settled && version_of(path_) == last_.version) return false;
  Read read = read_file(path_);
  const bool same = read.text == last_.text && read.problem == last_.problem;
  last_ = std::move(read);
  if (same) return false;  // touched, or looked at again because it was young
  problem = last_.problem;
  if (problem.empty() && !last_.is_regular) problem = path_ + ": no longer a regular file";
  if (problem.empty()) {
    auto rules = compile_(last_.text);
    if (rules) {
      snapshot_.publish(std::make_shared<const BounceRules>(*std::move(rules)));
      ++reloads_;
      return true;
    }
    problem = rules.problem();
  }
  ++failures_;
  return false;
}

}  // namespace ipmit::events
