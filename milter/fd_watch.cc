// SPDX-License-Identifier: Apache-2.0
#include "milter/fd_watch.h"

#include <algorithm>
#include <cerrno>

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "common/log.h"

namespace ipmit::milter {
namespace {

constexpr std::int64_t kLogEveryMs = 60'000;

// Keeps the sum in range of int, and poll arrays of a sane size, where the hard limit is infinite.
constexpr rlim_t kMostDescriptors = 1'048'576;

}  // namespace

unsigned raise_descriptor_limit() {
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  const rlim_t wanted = std::min(limit.rlim_max, kMostDescriptors);
  if (limit.rlim_cur < wanted) {
    limit.rlim_cur = wanted;
    setrlimit(RLIMIT_NOFILE, &limit);
    getrlimit(RLIMIT_NOFILE, &limit);
  }
  return static_cast<unsigned>(std::min(limit.rlim_cur, kMostDescriptors));
}

FdWatch::FdWatch(Listener& listener, unsigned limit, unsigned reserve, common::Metrics& metrics)
    : listener_(listener),
      threshold_(static_cast<int>(limit > 2 * reserve ? limit - reserve : limit / 2)),
      limit_(limit),
      paused_gauge_(metrics.gauge("ipmit_milter_accept_paused",
                                  "1 while new sessions wait for free file descriptors.")),
      pauses_(metrics.counter("ipmit_milter_accept_pauses_total",
                              "Times that new sessions had to wait for file descriptors.")) {
  metrics.gauge("ipmit_milter_descriptor_limit", "RLIMIT_NOFILE in force.").set(limit);
}

bool FdWatch::is_short() const {
  const int lowest = fcntl(listener_.fd(), F_DUPFD_CLOEXEC, 0);
  if (lowest < 0) return true;
  close(lowest);
  return lowest >= threshold_;
}

void FdWatch::accepted(int descriptor) {
  const bool none_left = descriptor < 0 && (errno == EMFILE || errno == ENFILE);
  if (none_left || descriptor >= threshold_) pause();
}

void FdWatch::check() {
  const bool now_short = is_short();
  if (now_short == paused_) return;
  if (now_short) return pause();
  const std::lock_guard lock(mutex_);
  if (!paused_ || is_short()) return;
  paused_ = false;
  listener_.resume();
  paused_gauge_.set(0);
}

void FdWatch::pause() {
  {
    const std::lock_guard lock(mutex_);
    if (paused_) return;
    paused_ = true;
    listener_.pause();
    paused_gauge_.set(1);
  }
  pauses_.add();
  const std::int64_t now_ms = common::now().time_since_epoch().count();
  std::int64_t last = last_log_ms_.load();
  if (now_ms - last >= kLogEveryMs && last_log_ms_.compare_exchange_strong(last, now_ms)) {
    common::log_event(common::LogLevel::kError, "accept_paused",
                      {{"descriptor_limit", limit_},
                       {"reason", "file descriptors are used up; new sessions wait"}});
  }
}

}  // namespace ipmit::milter
