// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <utility>

namespace ipmit::common {

// A value that is replaced as a whole: the writer builds a new one aside and publishes it, readers
// keep the one they hold for as long as they need it (the milter: for one message). The old value
// dies with its last reader. Thread-safe; the lock is held for a pointer copy only.
//
// std::atomic<std::shared_ptr> would say the same, but it is not lock-free in libstdc++ 12 and its
// plain load/store is reported as a race by ThreadSanitizer. docs/decisions/0002.
template <typename T>
class Snapshot {
 public:
  explicit Snapshot(std::shared_ptr<const T> initial) : current_(std::move(initial)) {}

  std::shared_ptr<const T> current() const {
    const std::lock_guard lock(mutex_);
    return current_;
  }

  // Grows by one with each publish; a reader that caches current() compares it without the lock.
  std::uint64_t generation() const { return generation_.load(std::memory_order_acquire); }

  void publish(std::shared_ptr<const T> next) {
    {
      const std::lock_guard lock(mutex_);
      current_.swap(next);
    }
    generation_.fetch_add(1, std::memory_order_release);
  }  // the replaced value may die here, outside the lock

 private:
  mutable std::mutex mutex_;
  std::shared_ptr<const T> current_;
  std::atomic<std::uint64_t> generation_{0};
};

}  // namespace ipmit::common
