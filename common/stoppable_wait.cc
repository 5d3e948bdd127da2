// SPDX-License-Identifier: Apache-2.0
#include "common/stoppable_wait.h"

#include <condition_variable>
#include <mutex>

namespace ipmit::common {

bool wait_unless_stopped(std::chrono::nanoseconds duration, const std::stop_token& stop) {
  std::mutex mutex;  // the stop is all that is waited for
  std::condition_variable_any never;
  std::unique_lock lock(mutex);  // cppcheck-suppress localMutex
  never.wait_for(lock, stop, duration, [] { return false; });
  return !stop.stop_requested();
}

}  // namespace ipmit::common
