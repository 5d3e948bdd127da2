// SPDX-License-Identifier: Apache-2.0
#include "events/log_follower.h"

#include <condition_variable>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>
#include <unistd.h>

#include "common/error.h"

namespace ipmit::events {
namespace {

namespace fs = std::filesystem;
using Lines = std::vector<std::string>;

class LogFollowerTest : public testing::Test {
 protected:
  LogFollowerTest() {
    std::string name = (fs::temp_directory_path() / "ipmit-follow.XXXXXX").string();
    folder_ = ::mkdtemp(name.data());
    log_ = folder_ / "mail.log";
  }
  ~LogFollowerTest() override { fs::remove_all(folder_); }

  void append(const std::string& text) const { append(log_, text); }
  static void append(const fs::path& file, const std::string& text) {
    std::ofstream(file, std::ios::app) << text;
  }
  // As rsyslog and logrotate do it: the writer opens the new file when told to.
  void rotate(const char* to = "mail.log.1") const { fs::rename(log_, folder_ / to); }
  void copytruncate() const {
    fs::copy_file(log_, folder_ / "mail.log.1", fs::copy_options::overwrite_existing);
    fs::resize_file(log_, 0);
  }
  static Lines read_all(LogFollower& follower) {
    Lines lines;
    while (const auto line = follower.next_ready()) lines.emplace_back(line->text);
    return lines;
  }

  fs::path folder_;
  fs::path log_;
};

TEST_F(LogFollowerTest, ReadsWhatIsThereAndWhatComes) {
  append("one\ntwo\nthr");
  LogFollower follower(log_, std::nullopt);
  EXPECT_EQ(read_all(follower), (Lines{"one", "two"}));
  append("ee\n");
  EXPECT_EQ(read_all(follower), Lines{"three"});
}

TEST_F(LogFollowerTest, WaitsForAFileThatIsNotThereYet) {
  LogFollower follower(log_, std::nullopt);
  EXPECT_EQ(read_all(follower), Lines{});
  append("one\n");
  EXPECT_EQ(read_all(follower), Lines{"one"});
}

TEST_F(LogFollowerTest, FollowsARename) {
  append("one\n");
  LogFollower follower(log_, std::nullopt);
  EXPECT_EQ(read_all(follower), Lines{"one"});
  rotate();
  append(folder_ / "mail.log.1", "two\n");  // the writer has not noticed yet
  append(log_, "");
  EXPECT_EQ(read_all(follower), Lines{"two"});
  append(folder_ / "mail.log.1", "three, without newline");
  append("four\n");
  EXPECT_EQ(read_all(follower), (Lines{"three, without newline", "four"}));
  EXPECT_EQ(follower.counters().rotations, 1U);
}

TEST_F(LogFollowerTest, FollowsCopytruncate) {
  append("one\ntwo\n");
  LogFollower follower(log_, std::nullopt);
  EXPECT_EQ(read_all(follower), (Lines{"one", "two"}));
  copytruncate();
  append("3\n");
  EXPECT_EQ(read_all(follower), Lines{"3"}) << "shorter than before";
  copytruncate();
  append("four\nfive, longer than before\n");
  EXPECT_EQ(read_all(follower), (Lines{"four", "five, longer than before"}));
  EXPECT_EQ(follower.counters().truncations, 2U);
}

TEST_F(LogFollowerTest, ResumesBehindTheCommittedLine) {
  append("one\ntwo\nthree\n");
  LogCursor cursor;
  {
    LogFollower follower(log_, std::nullopt);
    follower.next_ready();
    cursor = follower.cursor();
    follower.next_ready();  // read, but not committed
  }
  LogFollower follower(log_, cursor);
  EXPECT_EQ(read_all(follower), (Lines{"two", "three"}));
}

TEST_F(LogFollowerTest, ResumesInRotatedFiles) {
  append("one\ntwo\n");
  LogCursor cursor;
  {
    LogFollower follower(log_, std::nullopt);
    follower.next_ready();
    cursor = follower.cursor();
  }
  // Two rotations while nobody read: dates tell the order.
  rotate("mail.log-20261124");
  append("three\n");
  rotate("mail.log-20261125");
  append("four\n");
  const auto now = fs::last_write_time(log_);
  fs::last_write_time(folder_ / "mail.log-20261124", now - std::chrono::hours(48));
  fs::last_write_time(folder_ / "mail.log-20261125", now - std::chrono::hours(24));
  append(folder_ / "mail.log.unrelated", "x\n");
  fs::last_write_time(folder_ / "mail.log.unrelated", now - std::chrono::hours(96));
  LogFollower follower(log_, cursor);
  EXPECT_EQ(read_all(follower), (Lines{"two", "three", "four"}));
  EXPECT_EQ(follower.counters().lost, 0U);
}

TEST_F(LogFollowerTest, ResumesInTheCopyOfCopytruncate) {
  append("one\ntwo\n");
  LogCursor cursor;
  {
    LogFollower follower(log_, std::nullopt);
    follower.next_ready();
    cursor = follower.cursor();
  }
  copytruncate();
  append("three, in the same inode\n");
  LogFollower follower(log_, cursor);
  EXPECT_EQ(read_all(follower), (Lines{"two", "three, in the same inode"}));
}

TEST_F(LogFollowerTest, ALostPlaceIsCountedAndReadingStartsAnew) {
  append("one\n");
  LogCursor cursor;
  {
    LogFollower follower(log_, std::nullopt);
    follower.next_ready();
    cursor = follower.cursor();
  }
  fs::remove(log_);
  append("two\n");
  LogFollower follower(log_, cursor);
  EXPECT_EQ(read_all(follower), Lines{"two"});
  EXPECT_EQ(follower.counters().lost, 1U);
}

TEST_F(LogFollowerTest, CutsLongLinesAndCounts) {
  append(std::string(3 * kMaxLogLineBytes, 'x') + "\n" + std::string(5, '\0') + "\nshort\n" +
         std::string(kMaxLogLineBytes, 'y') + "\n");
  LogFollower follower(log_, std::nullopt);
  const auto first = follower.next_ready();
  ASSERT_TRUE(first);
  EXPECT_TRUE(first->cut);
  EXPECT_EQ(first->text.size(), kMaxLogLineBytes);
  EXPECT_EQ(read_all(follower),
            (Lines{std::string(5, '\0'), "short", std::string(kMaxLogLineBytes, 'y')}));
  EXPECT_EQ(follower.counters().cut_lines, 1U);
  EXPECT_EQ(follower.cursor().offset, fs::file_size(log_));
}

TEST_F(LogFollowerTest, ABlockedReaderWakesForLinesRotationAndStop) {
  append("one\n");
  std::vector<std::string> lines;
  std::stop_source stop;
  std::mutex mutex;
  std::condition_variable changed;
  const auto wait_for = [&](std::size_t count) {
    std::unique_lock lock(mutex);
    return changed.wait_for(lock, std::chrono::seconds(30), [&] { return lines.size() >= count; });
  };
  std::thread reader([&] {
    LogFollower follower(log_, std::nullopt);
    while (const auto line = follower.next(stop.get_token())) {
      const std::lock_guard lock(mutex);
      lines.emplace_back(line->text);
      changed.notify_all();
    }
  });
  EXPECT_TRUE(wait_for(1));
  append("two\n");
  EXPECT_TRUE(wait_for(2));
  rotate();
  append("three\n");
  EXPECT_TRUE(wait_for(3));
  stop.request_stop();
  reader.join();
  EXPECT_EQ(lines, (Lines{"one", "two", "three"}));
}

TEST_F(LogFollowerTest, AFolderThatIsNotThereIsRefused) {
  EXPECT_THROW(LogFollower(folder_ / "none" / "mail.log", std::nullopt), common::PermanentError);
}

TEST_F(LogFollowerTest, CursorsAreSavedWhole) {
  const fs::path file = folder_ / "cursor";
  EXPECT_EQ(load_cursor(file), std::nullopt);
  const LogCursor cursor{7, 1234567890123, 256, 0xfedcba9876543210U};
  save_cursor(file, cursor);
  EXPECT_EQ(load_cursor(file), cursor);
  save_cursor(file, LogCursor{});
  EXPECT_EQ(load_cursor(file), LogCursor{});
  for (const char* text :
       {"", "ipmit-cursor 1", "ipmit-cursor 1 1 2 3", "ipmit-cursor 2 1 2 3 4",
        "ipmit-cursor 1 1 2 300 4", "ipmit-cursor 1 1 2 3 4 5", "ipmit-cursor 1 -1 2 3 4",
        "ipmit-cursor 1 99999999999999999999 2 3 4"}) {
    std::ofstream(file, std::ios::trunc) << text;
    EXPECT_THROW(load_cursor(file), common::PermanentError) << text;
  }
  EXPECT_THROW(save_cursor(folder_ / "none" / "cursor", cursor), common::TransientError);
}

}  // namespace
}  // namespace ipmit::events
