// SPDX-License-Identifier: Apache-2.0
#include "common/snapshot.h"

#include <thread>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

namespace ipmit::common {
namespace {

TEST(Snapshot, ReaderKeepsWhatItTook) {
  Snapshot<int> snapshot(std::make_shared<const int>(1));
  const auto held = snapshot.current();
  const auto before = snapshot.generation();
  snapshot.publish(std::make_shared<const int>(2));
  EXPECT_EQ(*held, 1);
  EXPECT_EQ(*snapshot.current(), 2);
  EXPECT_EQ(snapshot.generation(), before + 1);
}

TEST(Snapshot, OldValueDiesWithItsLastReader) {
  Snapshot<int> snapshot(std::make_shared<const int>(1));
  auto held = snapshot.current();
  const std::weak_ptr<const int> old = held;
  snapshot.publish(std::make_shared<const int>(2));
  EXPECT_FALSE(old.expired());
  held.reset();
  EXPECT_TRUE(old.expired());
}

// Each thread has its own count of holders; a value lives until the last of all lets go.
TEST(Snapshot, OldValueDiesWithItsLastReaderInAnyThread) {
  auto value = std::make_shared<const int>(1);
  const std::weak_ptr<const int> old = value;
  Snapshot<int> snapshot(std::move(value));
  std::shared_ptr<const int> held_here = snapshot.current(), held_there;
  std::jthread([&] { held_there = snapshot.current(); }).join();
  snapshot.publish(std::make_shared<const int>(2));
  held_here.reset();
  EXPECT_FALSE(old.expired());
  EXPECT_EQ(*held_there, 1);
  held_there.reset();
  EXPECT_TRUE(old.expired());
}

TEST(Snapshot, AllThreadsSeeWhatWasPublished) {
  Snapshot<int> snapshot(std::make_shared<const int>(1));
  for (int value = 2; value < 40; ++value) {
    snapshot.publish(std::make_shared<const int>(value));
    std::jthread([&] { EXPECT_EQ(*snapshot.current(), value); });
  }
}

TEST(SnapshotReader, SeesEachPublishAndKeepsTheValueUntilItAsks) {
  Snapshot<int> snapshot(std::make_shared<const int>(1));
  SnapshotReader<int> reader(snapshot);
  const int& first = reader.current();
  EXPECT_EQ(&reader.current(), &first);
  snapshot.publish(std::make_shared<const int>(2));
  EXPECT_EQ(first, 1);
  EXPECT_EQ(reader.current(), 2);
}

// Under ThreadSanitizer this is the proof; without it, that no reader sees a torn or older value.
TEST(Snapshot, ReadersAndWriterSideBySide) {
  Snapshot<std::vector<int>> snapshot(std::make_shared<const std::vector<int>>(8, 0));
  constexpr int kRounds = 2000;
  std::vector<std::jthread> readers;
  readers.reserve(4);
  for (int i = 0; i < 4; ++i) {
    readers.emplace_back([&] {
      int last = 0;
      while (last < kRounds) {
        const auto value = snapshot.current();
        ASSERT_EQ(value->front(), value->back());
        ASSERT_GE(value->front(), last);
        last = value->front();
      }
    });
  }
  for (int round = 1; round <= kRounds; ++round) {
    snapshot.publish(std::make_shared<const std::vector<int>>(8, round));
  }
}

}  // namespace
}  // namespace ipmit::common
