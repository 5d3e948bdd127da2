// SPDX-License-Identifier: Apache-2.0
#include "events/log_watch.h"

#include <array>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <string>

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "common/error.h"

namespace ipmit::events {
namespace {

constexpr int kRecheckMs = 10'000;

}  // namespace

LogWatch::LogWatch(const std::filesystem::path& file)
    : inotify_(::inotify_init1(IN_CLOEXEC | IN_NONBLOCK)),
      wake_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  const auto folder = file.has_parent_path() ? file.parent_path() : std::filesystem::path(".");
  constexpr std::uint32_t kChanges =
      IN_CREATE | IN_MODIFY | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE;
  if (inotify_ >= 0 && wake_ >= 0 && ::inotify_add_watch(inotify_, folder.c_str(), kChanges) >= 0) {
    return;
  }
  const std::string reason = std::strerror(errno);
  ::close(inotify_);
  ::close(wake_);
  throw common::PermanentError(folder.string() + ": cannot be watched: " + reason);
}

LogWatch::~LogWatch() {
  ::close(inotify_);
  ::close(wake_);
}

void LogWatch::watch(int fd) {
  // By descriptor, as the file may have been renamed since it was opened.
  const std::string path = "/proc/self/fd/" + std::to_string(fd);
  const int fresh = ::inotify_add_watch(inotify_, path.c_str(), IN_MODIFY);
  if (file_watch_ >= 0 && file_watch_ != fresh) ::inotify_rm_watch(inotify_, file_watch_);
  file_watch_ = fresh;  // without a watch wait() still rechecks
}

void LogWatch::wait(const std::stop_token& stop) {
  const std::stop_callback wake(stop, [this] {
    const std::uint64_t one = 1;
    [[maybe_unused]] const auto written = ::write(wake_, &one, sizeof one);
  });
  std::array<pollfd, 2> ready{{{inotify_, POLLIN, 0}, {wake_, POLLIN, 0}}};
  if (::poll(ready.data(), ready.size(), kRecheckMs) <= 0) return;
  std::array<char, 4096> drained{};
  while (::read(inotify_, drained.data(), drained.size()) > 0) {
  }
}

}  // namespace ipmit::events
