// SPDX-License-Identifier: Apache-2.0
#include "common/thread_slot.h"

#include <algorithm>
#include <latch>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

namespace ipmit::common {
namespace {

// The slots of `count` threads that live at the same time.
std::vector<std::size_t> slots_of(std::size_t count) {
  std::vector<std::size_t> slots(count);
  std::latch all_asked(static_cast<std::ptrdiff_t>(count));
  std::vector<std::jthread> threads;
  threads.reserve(count);
  for (std::size_t& slot : slots) {
    threads.emplace_back([&all_asked, &slot] {
      slot = thread_slot();
      all_asked.arrive_and_wait();
    });
  }
  threads.clear();
  std::sort(slots.begin(), slots.end());
  return slots;
}

TEST(ThreadSlot, StaysWithItsThread) {
  EXPECT_EQ(thread_slot(), thread_slot());
  EXPECT_LT(thread_slot(), kThreadSlots);
}

TEST(ThreadSlot, IsOfOneLivingThreadWhileThereAreEnough) {
  thread_slot();                             // this thread has one, too
  for (int again = 0; again < 3; ++again) {  // those that have ended have given theirs back
    const std::vector<std::size_t> slots = slots_of(kSharedSlot - 1);
    EXPECT_EQ(std::adjacent_find(slots.begin(), slots.end()), slots.end());
    EXPECT_LT(slots.back(), kSharedSlot);
  }
}

TEST(ThreadSlot, IsSharedByThoseWhoComeLate) {
  thread_slot();
  const std::vector<std::size_t> slots = slots_of(kSharedSlot + 9);
  EXPECT_EQ(std::count(slots.begin(), slots.end(), kSharedSlot), 10);
}

}  // namespace
}  // namespace ipmit::common
