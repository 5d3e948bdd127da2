// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>

namespace ipmit::common {

// What many threads write all the time lies in this many places, a cache line or more each, and a
// thread writes to its own: two processors that pass one line to and fro lose more by it than by
// the work itself (docs/decisions/0033). The readers put the places together.
inline constexpr std::size_t kThreadSlots = 16;
inline constexpr std::size_t kCacheLineBytes = 64;

// Of the threads that found all others taken.
inline constexpr std::size_t kSharedSlot = kThreadSlots - 1;

// The place of the calling thread, below kThreadSlots. But for kSharedSlot, no other living thread
// has the same one, and what a thread wrote there is seen by the one that has the place after it.
std::size_t thread_slot() noexcept;

}  // namespace ipmit::common
