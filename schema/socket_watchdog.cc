// SPDX-License-Identifier: Apache-2.0
#include "schema/socket_watchdog.h"

#include <cerrno>
#include <system_error>

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/error.h"

namespace ipmit::schema {
namespace {

int duplicate(int socket) {
  const int copy = ::fcntl(socket, F_DUPFD_CLOEXEC, 0);
  if (copy < 0)
    throw common::TransientError("a descriptor: " + std::generic_category().message(errno));
  return copy;
}

}  // namespace

SocketWatchdog::SocketWatchdog(int socket)
    : socket_(duplicate(socket)), thread_([this](const std::stop_token& stop) { run(stop); }) {}

SocketWatchdog::~SocketWatchdog() {
  thread_ = std::jthread();
  ::close(socket_);
}

void SocketWatchdog::arm(common::Duration limit) {
  if (limit <= limit.zero()) return disarm();
  bool is_sooner = false;
  {
    const std::lock_guard lock(mutex_);
    due_ = Clock::now() + limit;
    is_sooner = !looks_at_ || *due_ < *looks_at_;
  }
  if (is_sooner) changed_.notify_one();
}

// The thread may sleep on: it finds nothing due when it wakes.
void SocketWatchdog::disarm() {
  const std::lock_guard lock(mutex_);
  due_.reset();
}

bool SocketWatchdog::has_fired() const {
  const std::lock_guard lock(mutex_);
  return has_fired_;
}

void SocketWatchdog::run(const std::stop_token& stop) {
  std::unique_lock lock(mutex_);
  const auto is_sooner = [this] { return due_ && (!looks_at_ || *due_ < *looks_at_); };
  while (!stop.stop_requested()) {
    if (due_ && *due_ <= Clock::now()) {
      ::shutdown(socket_, SHUT_RDWR);
      has_fired_ = true;
      due_.reset();
    }
    looks_at_ = due_;
    if (looks_at_) {
      const auto until = *looks_at_;  // a copy: the lock is not held while it waits
      changed_.wait_until(lock, stop, until, is_sooner);
    } else {
      changed_.wait(lock, stop, is_sooner);
    }
  }
}

}  // namespace ipmit::schema
