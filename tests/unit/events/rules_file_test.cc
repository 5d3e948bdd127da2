// SPDX-License-Identifier: Apache-2.0
#include "events/rules_file.h"

#include <atomic>
#include <thread>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "tests/support/process.h"

namespace ipmit::events {
namespace {

using policy::BounceClass;
using testing::ElementsAre;
using testing::HasSubstr;

// Instead of YAML, which is the business of conf: the name of a class, given to "refused".
common::Result<BounceRules> compile(std::string_view text) {
  const auto bounce_class = policy::parse_bounce_class(text.substr(0, text.find('\n')));
  if (!bounce_class) return common::Problem{"rules:1: bad class " + std::string(text)};
  policy::BounceRule rule;
  rule.id = text;
  rule.bounce_class = *bounce_class;
  rule.text = {"refused"};
  return BounceRules::compile({rule});
}

class RulesFileTest : public testing::Test {
 protected:
  RulesFileTest() { replace("soft"); }

  std::unique_ptr<RulesFile> open() {
    auto opened = RulesFile::open(path_, compile, [this](const std::string& problem) {
      const std::lock_guard lock(mutex_);
      problems_.push_back(problem);
    });
    EXPECT_TRUE(opened.ok()) << (opened.ok() ? "" : opened.problem());
    return std::move(opened).value();
  }
  // As a careful person or program does it.
  void replace(std::string_view text) {
    test::write_file(folder_ / "new", text);
    std::filesystem::rename(folder_ / "new", path_);
  }
  void set_age(std::chrono::seconds age) const {
    std::filesystem::last_write_time(path_, std::filesystem::file_time_type::clock::now() - age);
  }
  static BounceClass class_in(const BounceRules& rules) {
    BounceFacts facts;
    facts.text = "refused";
    return rules.classify(facts).bounce_class;
  }

  test::TempDir folder_{"rules"};
  const std::filesystem::path path_ = folder_ / "rules";
  std::mutex mutex_;
  std::vector<std::string> problems_;
};

TEST_F(RulesFileTest, TakesANewVersionAndKeepsTheOldOneForThoseWhoUseIt) {
  const auto file = open();
  const auto before = file->rules();
  EXPECT_FALSE(file->look());
  replace("throttle");
  EXPECT_TRUE(file->look());
  EXPECT_EQ(class_in(*file->rules()), BounceClass::kThrottle);
  EXPECT_EQ(class_in(*before), BounceClass::kSoft);
  EXPECT_EQ(file->counters().reloads, 1U);
  EXPECT_EQ(file->counters().failures, 0U);
}

TEST_F(RulesFileTest, LooksAtMostOnceASecond) {
  const auto file = open();
  const auto start = std::chrono::steady_clock::now() + std::chrono::hours(1);
  EXPECT_EQ(class_in(*file->rules(start)), BounceClass::kSoft);
  replace("throttle");
  EXPECT_EQ(class_in(*file->rules(start + std::chrono::milliseconds(999))), BounceClass::kSoft);
  EXPECT_EQ(class_in(*file->rules(start + std::chrono::seconds(1))), BounceClass::kThrottle);
}

TEST_F(RulesFileTest, KeepsItsRulesOnABadVersionAndTellsEachOnce) {
  const auto file = open();
  replace("nonsense");
  EXPECT_FALSE(file->look());
  EXPECT_FALSE(file->look());
  EXPECT_EQ(class_in(*file->rules()), BounceClass::kSoft);
  EXPECT_THAT(problems_, ElementsAre("rules:1: bad class nonsense"));
  replace("worse");
  EXPECT_FALSE(file->look());
  std::filesystem::remove(path_);
  EXPECT_FALSE(file->look());
  EXPECT_FALSE(file->look());
  EXPECT_THAT(problems_, ElementsAre(HasSubstr("nonsense"), HasSubstr("worse"),
                                     path_.string() + ": cannot read: No such file or directory"));
  EXPECT_EQ(class_in(*file->rules()), BounceClass::kSoft);
  EXPECT_EQ(file->counters().failures, 3U);
  replace("throttle");
  EXPECT_TRUE(file->look());
  EXPECT_EQ(file->counters().reloads, 1U);
  EXPECT_EQ(problems_.size(), 3U);
}

// Same inode, size and time: only reading tells, which is done while the file is young.
TEST_F(RulesFileTest, SeesAChangeWithinOneTickOfTheClock) {
  test::write_file(path_, "soft\n    ");
  set_age(-std::chrono::hours(1));  // young however slow this machine is
  const auto written = std::filesystem::last_write_time(path_);
  const auto file = open();
  test::write_file(path_, "throttle\n");
  std::filesystem::last_write_time(path_, written);
  EXPECT_TRUE(file->look());
}

TEST_F(RulesFileTest, ReadsAnOldFileAgainOnlyIfItsMarksChange) {
  set_age(std::chrono::hours(1));
  const auto written = std::filesystem::last_write_time(path_);
  const auto file = open();
  test::write_file(path_, "auto");
  std::filesystem::last_write_time(path_, written);
  EXPECT_FALSE(file->look()) << "nothing tells of the change, so nothing is read";
  set_age(std::chrono::hours(2));
  EXPECT_TRUE(file->look());
  set_age(std::chrono::hours(3));
  EXPECT_FALSE(file->look()) << "touched, not changed";
  EXPECT_EQ(file->counters().reloads, 1U);
}

TEST_F(RulesFileTest, IsRefusedAtTheStart) {
  replace("nonsense");
  const auto report = [](const std::string&) {};
  const auto bad = RulesFile::open(path_, compile, report);
  ASSERT_FALSE(bad.ok());
  EXPECT_EQ(bad.problem(), "rules:1: bad class nonsense");
  const auto none = RulesFile::open("/none/rules", compile, report);
  ASSERT_FALSE(none.ok());
  EXPECT_EQ(none.problem(), "/none/rules: cannot read: No such file or directory");
  EXPECT_FALSE(RulesFile::open(folder_.path(), compile, report).ok()) << "a directory";
  test::write_file(path_, std::string(RulesFile::kMaxBytes + 1, ' '));
  EXPECT_FALSE(RulesFile::open(path_, compile, report).ok()) << "endless";
}

TEST_F(RulesFileTest, APipeIsReadOnce) {
  const auto pipe = folder_ / "pipe";
  ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
  std::thread writer([&] { test::write_file(pipe, "throttle"); });
  const auto opened = RulesFile::open(pipe, compile, [](const std::string&) {});
  writer.join();
  ASSERT_TRUE(opened.ok());
  EXPECT_FALSE((*opened)->look());
  EXPECT_EQ(class_in(*(*opened)->rules()), BounceClass::kThrottle);
}

// Threads classify without a pause while others swap the rules under them. Each sees one version as
// a whole: its class, and the id of the rule that gave it.
TEST_F(RulesFileTest, IsSafeWhileInUse) {
  const auto file = open();
  std::atomic<bool> stop{false};
  std::atomic<std::uint64_t> wrong{0}, used{0};
  std::vector<std::thread> users;
  users.reserve(3);
  for (int i = 0; i < 3; ++i)
    users.emplace_back([&] {
      BounceFacts facts;
      facts.text = "550 refused";
      while (!stop) {
        const auto rules = file->rules(std::chrono::steady_clock::now());
        const BounceVerdict verdict = rules->classify(facts);
        if (verdict.rule != policy::to_string(verdict.bounce_class)) ++wrong;
        ++used;
      }
    });
  constexpr std::uint64_t kSwaps = 300;
  for (std::uint64_t i = 0; i < kSwaps; ++i) {
    const std::uint64_t before = used;
    replace(i % 2 == 0 ? "throttle" : "reputation");
    file->look();
    EXPECT_TRUE(test::wait_until([&] { return used > before; }));
  }
  stop = true;
  for (auto& user : users) user.join();
  EXPECT_EQ(wrong, 0U);
  EXPECT_EQ(file->counters().reloads, kSwaps) << "whoever of them looked first";
  EXPECT_THAT(problems_, testing::IsEmpty());
}

}  // namespace
}  // namespace ipmit::events
