// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <utility>

#include "common/thread_slot.h"

namespace ipmit::common {

// A value that is replaced as a whole: the writer builds a new one aside and publishes it, readers
// keep the one they hold for as long as they need it (the milter: for one message). The old value
// dies with its last reader. Thread-safe; a lock is held for a pointer copy only, and each thread
// has its own lock and its own count of holders, so that readers do not wait for one another.
// While publish() runs, some threads see the new value and others still the old one.
//
// std::atomic<std::shared_ptr> would say the same, but it is not lock-free in libstdc++ 12 and its
// plain load/store is reported as a race by ThreadSanitizer. docs/decisions/0002, 0033.
template <typename T>
class Snapshot {
 public:
  explicit Snapshot(std::shared_ptr<const T> initial) {
    for (Place& place : places_) place.current = counted_apart(initial);
  }

  std::shared_ptr<const T> current() const {
    const Place& place = places_[thread_slot()];
    const std::lock_guard lock(place.mutex);
    return place.current;
  }

  // Grows by one with each publish.
  std::uint64_t generation() const { return generation_.load(std::memory_order_acquire); }

  void publish(std::shared_ptr<const T> next) {
    std::array<std::shared_ptr<const T>, kThreadSlots> replaced;  // may die here, outside the locks
    const std::lock_guard one_at_a_time(publishing_);
    for (std::size_t i = 0; i < kThreadSlots; ++i) {
      replaced[i] = counted_apart(next);
      const std::lock_guard lock(places_[i].mutex);
      places_[i].current.swap(replaced[i]);
    }
    generation_.fetch_add(1, std::memory_order_release);
  }

 private:
  struct alignas(kCacheLineBytes) Place {
    mutable std::mutex mutex;
    std::shared_ptr<const T> current;
  };

  // Aligned, so that the count before it has a cache line of its own as well.
  struct alignas(kCacheLineBytes) Holder {
    explicit Holder(std::shared_ptr<const T> held) : value(std::move(held)) {}
    const std::shared_ptr<const T> value;
  };

  // The same value with a count of holders of its own, which as a whole is one holder of `value`.
  static std::shared_ptr<const T> counted_apart(const std::shared_ptr<const T>& value) {
    return {std::make_shared<Holder>(value), value.get()};
  }

  std::array<Place, kThreadSlots> places_;
  std::mutex publishing_;
  std::atomic<std::uint64_t> generation_{0};
};

// One reader's own copy, for small values: it looks at the Snapshot's lock only after a publish,
// but keeps an old value alive until it asks again. One thread at a time.
template <typename T>
class SnapshotReader {
 public:
  explicit SnapshotReader(const Snapshot<T>& snapshot) : snapshot_(snapshot) {}

  // Valid until the next call.
  const T& current() {
    const std::uint64_t generation = snapshot_.generation();
    if (!held_ || generation != seen_) {
      held_ = snapshot_.current();
      seen_ = generation;
    }
    return *held_;
  }

 private:
  const Snapshot<T>& snapshot_;
  std::shared_ptr<const T> held_;
  std::uint64_t seen_ = 0;
};

}  // namespace ipmit::common
