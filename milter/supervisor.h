// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <optional>
#include <string_view>

#include "common/clock.h"
#include "common/metrics.h"
#include "milter/fd_watch.h"
#include "milter/listener.h"

namespace ipmit::milter {

// Blocks SIGTERM, SIGINT and SIGHUP for the calling thread and all that it starts later; once, at
// the start of main, before any thread.
void block_service_signals();

// The life of the process after start: signals, take-over, the descriptor watch, and the drain at
// the end. Belongs to the main thread but for the members said to be thread-safe.
class Supervisor {
 public:
  struct Options {
    common::Duration grace{60'000};
    common::Duration tick{100};
  };
  // `reload` is called in run() for each SIGHUP.
  Supervisor(Options options, Listener& listener, FdWatch& watch, std::function<void()> reload,
             common::Metrics& metrics);
  ~Supervisor();
  Supervisor(const Supervisor&) = delete;
  Supervisor& operator=(const Supervisor&) = delete;

  // Returns when the program may end: after SIGTERM, SIGINT, request_drain() or the take-over of
  // the socket path by a successor, once the open sessions have ended or the grace has. Returns how
  // many sessions were still open.
  std::size_t run();

  void request_drain();                                  // thread-safe
  bool is_draining() const { return draining_.load(); }  // thread-safe

 private:
  // Waits for a signal up to one tick; the signal, or 0.
  int next_signal();
  void watch_path();
  std::size_t drain(std::string_view reason);

  const Options options_;
  Listener& listener_;
  FdWatch& watch_;
  const std::function<void()> reload_;
  common::Metrics::Gauge draining_gauge_;
  common::Metrics::Counter path_lost_;
  int signals_ = -1;  // signalfd
  int wake_ = -1;     // eventfd
  std::atomic<bool> draining_{false};
  std::atomic<bool> drain_asked_{false};
  std::string_view end_reason_;
  bool path_trouble_ = false;
};

}  // namespace ipmit::milter
