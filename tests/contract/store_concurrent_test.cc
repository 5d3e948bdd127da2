// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <set>
#include <thread>

#include <sys/wait.h>
#include <unistd.h>

#include "tests/contract/store_contract.h"
#include "tests/support/process.h"

namespace ipmit::test {
namespace {

using common::Duration;
using policy::Mitigation;
using schema::PutMode;
using schema::PutResult;
using std::chrono::seconds;

constexpr int kWriters = 4, kEach = 25;

void write_some(schema::Store& store, int writer) {
  for (int i = 0; i < kEach; ++i) {
    const std::string name = "w" + std::to_string(writer) + "-" + std::to_string(i);
    Mitigation own = make_mitigation(name, "192.0.2.1");
    if (store.put(own, PutMode::kAddOnly, kNote, kNoon) != PutResult::kAdded)
      throw std::runtime_error(name + " not added");
    Mitigation shared = make_mitigation("shared", "192.0.2.2");
    shared.reason = name;
    if (store.put(shared, PutMode::kAddOrReplace, kNote, kNoon) == PutResult::kUnchanged)
      throw std::runtime_error(name + " not seen as a change");
  }
}

void expect_all_written(schema::Store& store) {
  const auto total = static_cast<std::uint64_t>(2 * kWriters * kEach);
  EXPECT_EQ(store.revision(), total);
  EXPECT_EQ(store.load().set.mitigations.size(), 1U + kWriters * kEach);
  std::set<std::uint64_t> revisions;
  std::string newest;  // of "shared": each change saw the one before it
  for (const auto& row : store.audit("shared", 1000)) {
    if (!newest.empty()) {
      EXPECT_EQ(row.after, newest);
    }
    newest = row.before;
  }
  EXPECT_EQ(newest, "");
  for (const auto& row : store.audit("", 1000)) revisions.insert(row.revision);
  EXPECT_EQ(revisions.size(), total) << "each change has a revision of its own";
}

TEST_P(StoreContract, WritersInThreads) {
  std::vector<std::jthread> writers;
  std::atomic<int> failed = 0;
  for (int writer = 0; writer < kWriters; ++writer)
    writers.emplace_back([this, writer, &failed, own = backend().open()] {
      try {
        write_some(*own, writer);
      } catch (const std::exception& error) {
        ++failed;
        ADD_FAILURE() << error.what();
      }
    });
  writers.clear();
  ASSERT_EQ(failed, 0);
  expect_all_written(store());
}

TEST_P(StoreContract, WritersInProcesses) {
#ifdef __SANITIZE_THREAD__
  GTEST_SKIP() << "ThreadSanitizer knows no threads after the fork of a process that had some";
#endif
  std::vector<pid_t> writers;
  for (int writer = 0; writer < kWriters; ++writer) {
    const pid_t pid = ::fork();
    ASSERT_GE(pid, 0);
    if (pid > 0) {
      writers.push_back(pid);
      continue;
    }
    try {
      write_some(*backend().open(), writer);
      ::_exit(0);
    } catch (const std::exception& error) {
      ::_exit(1);
    }
  }
  for (const pid_t pid : writers) {
    int status = 0;
    ASSERT_EQ(::waitpid(pid, &status, 0), pid);
    EXPECT_EQ(status, 0);
  }
  expect_all_written(store());
}

// A reader that holds revision r holds every change up to r, whoever commits when.
TEST_P(StoreContract, ReadersMissNoChange) {
  std::vector<std::jthread> writers;
  for (int writer = 0; writer < kWriters; ++writer)
    writers.emplace_back([writer, own = backend().open()] { write_some(*own, writer); });
  std::set<std::string> seen;
  std::uint64_t revision = 0;
  const auto all = static_cast<std::uint64_t>(2 * kWriters * kEach);
  ASSERT_TRUE(wait_until([&] {
    const auto changes = store().changes_since(revision, 1000);
    if (!changes) return false;
    for (const auto& change : *changes) {
      seen.insert(std::get<Mitigation>(change.what).name);
      revision = change.revision;
    }
    return revision == all;
  }));
  EXPECT_EQ(seen.size(), 1U + kWriters * kEach);
}

TEST_P(StoreContract, WaitSeesTheChangeOfAnother) {
  store().load();
  const auto other = backend().open();
  EXPECT_FALSE(store().wait_for_change(Duration(0), {}));
  std::jthread writer([&] {
    Mitigation mitigation = make_mitigation("m", "192.0.2.1");
    other->put(mitigation, PutMode::kAddOnly, kNote, kNoon);
  });
  EXPECT_TRUE(store().wait_for_change(seconds(20), {}));
  writer.join();
  EXPECT_EQ(store().load().set.revision, 1U);
  EXPECT_FALSE(store().wait_for_change(Duration(0), {}));
}

TEST_P(StoreContract, WaitSeesWhatHappenedBefore) {
  EXPECT_TRUE(store().wait_for_change(seconds(20), {})) << "nothing loaded yet";
  store().load();
  put("m", "192.0.2.1");
  EXPECT_TRUE(store().wait_for_change(seconds(20), {})) << "its own change";
  EXPECT_TRUE(store().wait_for_change(seconds(20), {})) << "still not loaded";
}

TEST_P(StoreContract, HitsWakeNobody) {
  put("m", "192.0.2.1");
  store().load();
  store().wait_for_change(Duration(0), {});
  backend().open()->add_hits({{"m", 1, kNoon}}, {});
  EXPECT_FALSE(store().wait_for_change(Duration(300), {}));
}

TEST_P(StoreContract, WaitEndsWhenAskedTo) {
  store().load();
  std::stop_source stop;
  std::jthread stopper([&] { stop.request_stop(); });
  EXPECT_FALSE(store().wait_for_change(std::chrono::hours(1), stop.get_token()));
}

}  // namespace
}  // namespace ipmit::test
