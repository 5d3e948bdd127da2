// SPDX-License-Identifier: Apache-2.0
#include "common/thread_slot.h"

#include <atomic>
#include <bit>
#include <cstdint>
#include <utility>

namespace ipmit::common {
namespace {

using Taken = std::uint32_t;  // a bit a slot
constexpr Taken kAllTaken = (Taken{1} << kSharedSlot) - 1;
static_assert(kSharedSlot < 32);

std::atomic<Taken> taken{0};

// The lowest slot that is free, given back when the thread ends.
class Slot {
 public:
  Slot() noexcept {
    Taken seen = taken.load();
    while (seen != kAllTaken) {
      const auto lowest = static_cast<std::size_t>(std::countr_one(seen));
      if (!taken.compare_exchange_weak(seen, seen | Taken{1} << lowest)) continue;
      number_ = lowest;
      return;
    }
  }
  ~Slot() {
    const std::size_t own = std::exchange(number_, kSharedSlot);
    if (own != kSharedSlot) taken.fetch_and(~(Taken{1} << own));
  }
  Slot(const Slot&) = delete;
  Slot& operator=(const Slot&) = delete;

  std::size_t number() const { return number_; }

 private:
  std::size_t number_ = kSharedSlot;
};

}  // namespace

std::size_t thread_slot() noexcept {
  static thread_local Slot slot;
  return slot.number();
}

}  // namespace ipmit::common
