// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <thread>

#include "common/clock.h"

namespace ipmit::schema {

// Ends a connection whose peer does not answer, for a library that waits without a limit: shuts the
// socket down, so that the library finds it closed. Works on a duplicate of the descriptor, so
// never on one that is another's by now. All calls are thread-safe and do not block.
class SocketWatchdog {
 public:
  explicit SocketWatchdog(int socket);
  ~SocketWatchdog();
  SocketWatchdog(const SocketWatchdog&) = delete;
  SocketWatchdog& operator=(const SocketWatchdog&) = delete;

  // From now on the peer has this long, until disarm(). Zero: as long as it likes.
  void arm(common::Duration limit);
  void disarm();
  bool has_fired() const;

 private:
  using Clock = std::chrono::steady_clock;
  void run(const std::stop_token& stop);

  const int socket_;
  mutable std::mutex mutex_;
  std::condition_variable_any changed_;
  std::optional<Clock::time_point> due_;       // guarded by mutex_
  std::optional<Clock::time_point> looks_at_;  // guarded by mutex_; when the thread wakes next
  bool has_fired_ = false;                     // guarded by mutex_
  std::jthread thread_;
};

}  // namespace ipmit::schema
