// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>

#include "common/clock.h"
#include "common/metrics.h"
#include "milter/listener.h"

namespace ipmit::milter {

// Raises the soft limit of file descriptors to the hard one; returns the limit now in force.
unsigned raise_descriptor_limit();

// Pauses the listener while fewer than `reserve` descriptors are left, since libmilter, when
// accept() fails for want of one, tries again at once and for ever. Sessions that are open go on;
// new ones wait in the backlog. The reserve is for everything else: HTTP, files, the store.
// Thread-safe.
class FdWatch {
 public:
  FdWatch(Listener& listener, unsigned limit, unsigned reserve, common::Metrics& metrics);

  // After each accept(), with its result: the kernel gives the lowest free descriptor, so that
  // number alone says how many are left at most. Pauses before the next accept().
  void accepted(int descriptor);
  // Some times a second: resumes, or notices that others have used the descriptors up. Two system
  // calls.
  void check();

 private:
  bool is_short() const;
  void pause();

  Listener& listener_;
  const int threshold_;
  const unsigned limit_;
  common::Metrics::Gauge paused_gauge_;
  common::Metrics::Counter pauses_;
  std::mutex mutex_;
  std::atomic<bool> paused_{false};  // changed under mutex_
  std::atomic<std::int64_t> last_log_ms_{0};
};

}  // namespace ipmit::milter
