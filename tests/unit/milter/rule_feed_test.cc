// SPDX-License-Identifier: Apache-2.0
#include "milter/rule_feed.h"

#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/error.h"
#include "schema/snapshot_file.h"
#include "tests/support/process.h"
#include "tests/support/sample_rules.h"

namespace ipmit::milter {
namespace {

using schema::MitigationSource;
using test::wait_until;
using Loaded = MitigationSource::Loaded;

Loaded rules_at(std::uint64_t revision, std::string epoch = "e1") {
  Loaded loaded;
  loaded.set.mitigations = {test::reject("r" + std::to_string(revision), "192.0.2.1", revision)};
  loaded.set.revision = revision;
  loaded.epoch = std::move(epoch);
  return loaded;
}

// What the source of a test is told to do; its instances come and go.
class FakeStore {
 public:
  enum class Mood { kFine, kTransient, kPermanent, kBroken, kSilent };

  void set(Loaded loaded, Mood mood = Mood::kFine) {
    const std::lock_guard lock(mutex_);
    loaded_ = std::move(loaded);
    mood_ = mood;
    changed_ = true;
    wake_.notify_all();
  }
  int opened() const { return opened_; }
  int loads() const { return loads_; }

  RuleFeed::SourceFactory factory() {
    return [this] {
      ++opened_;
      return std::make_unique<Source>(*this);
    };
  }

 private:
  class Source : public MitigationSource {
   public:
    explicit Source(FakeStore& store) : store_(store) {}
    Loaded load() override {
      std::unique_lock lock(store_.mutex_);
      ++store_.loads_;
      store_.wake_.wait(lock, [this] { return store_.mood_ != Mood::kSilent; });
      store_.throw_mood();
      store_.changed_ = false;
      return store_.loaded_;
    }
    bool wait_for_change(Duration deadline, const std::stop_token& stop) override {
      std::unique_lock lock(store_.mutex_);
      const bool changed =
          store_.wake_.wait_for(lock, stop, deadline, [this] { return store_.changed_; });
      store_.throw_mood();
      return changed;
    }

   private:
    FakeStore& store_;
  };

  void throw_mood() const {
    if (mood_ == Mood::kTransient) throw common::TransientError("store: away");
    if (mood_ == Mood::kPermanent) throw common::PermanentError("store: damaged");
    if (mood_ == Mood::kBroken) throw std::out_of_range("a bug");
  }

  std::mutex mutex_;
  std::condition_variable_any wake_;
  Loaded loaded_;
  Mood mood_ = Mood::kFine;
  bool changed_ = false;
  std::atomic<int> opened_{0}, loads_{0};
};
using Mood = FakeStore::Mood;

class RuleFeedTest : public testing::Test {
 protected:
  RuleFeed::Options options() const {
    RuleFeed::Options options;
    options.snapshot_file = directory_ / "rules";
    options.start_deadline = Duration(20'000);
    options.save_every = Duration(5);
    options.first_retry = Duration(1);
    options.most_retry = Duration(5);
    return options;
  }
  std::uint64_t saved_revision() const {
    const auto saved = schema::load_rules(directory_ / "rules");
    return saved ? saved->set.revision : 0;
  }

  test::TempDir directory_{"feed"};
  common::Metrics metrics_;
  FakeStore store_;
};

bool serves(const RuleFeed& feed, std::uint64_t revision) {
  return wait_until([&] { return feed.rules().current()->revision() == revision; });
}

TEST_F(RuleFeedTest, LoadsAtTheStartAndFollowsChanges) {
  store_.set(rules_at(5));
  RuleFeed feed(options(), store_.factory(), metrics_);
  EXPECT_EQ(feed.status(common::now()).state, RuleState::kNone);
  EXPECT_FALSE(feed.status(common::now()).age);
  feed.start();
  const auto status = feed.status(common::now());
  EXPECT_EQ(status.state, RuleState::kFresh);
  EXPECT_EQ(status.revision, 5U);
  EXPECT_EQ(status.rules, 1U);
  ASSERT_TRUE(status.age);

  const auto held = feed.rules().current();
  store_.set(rules_at(6));
  EXPECT_TRUE(serves(feed, 6));
  EXPECT_EQ(held->revision(), 5U) << "a message keeps the rules it began with";
  EXPECT_TRUE(wait_until([&] { return saved_revision() == 6; }));
}

TEST_F(RuleFeedTest, KeepsTheLastRulesWhileTheSourceFails) {
  store_.set(rules_at(5));
  RuleFeed feed(options(), store_.factory(), metrics_);
  feed.start();
  for (const Mood mood : {Mood::kTransient, Mood::kPermanent, Mood::kBroken}) {
    const int before = store_.loads();
    store_.set(rules_at(6), mood);
    EXPECT_TRUE(wait_until([&] { return store_.loads() >= before + 3; })) << "keeps trying";
    EXPECT_EQ(feed.rules().current()->revision(), 5U);
  }
  EXPECT_GT(store_.opened(), 2) << "after more than a passing error the source is opened anew";
  EXPECT_THAT(metrics_.to_text(), testing::HasSubstr("rule_loads_total{result=\"failed\"}"));
  store_.set(rules_at(7));
  EXPECT_TRUE(serves(feed, 7));
}

TEST_F(RuleFeedTest, BecomesStaleWithoutContactAndFreshAgain) {
  store_.set(rules_at(5));
  RuleFeed feed(options(), store_.factory(), metrics_);
  feed.start();
  store_.set(rules_at(6), Mood::kTransient);
  const int before = store_.loads();
  ASSERT_TRUE(wait_until([&] { return store_.loads() > before; }));
  const TimePoint later = common::now() + std::chrono::minutes(2);
  EXPECT_EQ(feed.state(common::now()), RuleState::kFresh);
  EXPECT_EQ(feed.state(later), RuleState::kStale);
  EXPECT_GE(*feed.status(later).age, std::chrono::seconds(119));
  std::string text;
  EXPECT_TRUE(wait_until([&] {  // the feed sets them too, with each try
    feed.update_gauges(later);
    text = metrics_.to_text();
    return text.find("rules_state{state=\"stale\"} 1") != std::string::npos;
  }));
  EXPECT_THAT(text, testing::ContainsRegex("ipmit_snapshot_age_seconds 1[12]"));
  store_.set(rules_at(6));
  EXPECT_TRUE(serves(feed, 6));
}

TEST_F(RuleFeedTest, StartsFromTheDiskWhenTheSourceIsAway) {
  const TimePoint then = test::at("2026-11-25T18:00:00Z");
  schema::save_rules(directory_ / "rules", rules_at(5).set, "e1", then);
  store_.set(rules_at(6), Mood::kTransient);
  RuleFeed feed(options(), store_.factory(), metrics_);
  feed.start();
  EXPECT_EQ(feed.state(common::now()), RuleState::kFromDisk);
  EXPECT_EQ(feed.rules().current()->revision(), 5U);
  EXPECT_EQ(feed.status(then + std::chrono::hours(1)).age, std::chrono::hours(1));
  store_.set(rules_at(6));
  EXPECT_TRUE(serves(feed, 6));
  EXPECT_EQ(feed.state(common::now()), RuleState::kFresh);
}

TEST_F(RuleFeedTest, StartsFromTheDiskWhenTheSourceIsSilent) {
  schema::save_rules(directory_ / "rules", rules_at(5).set, "e1", common::now());
  store_.set(rules_at(6), Mood::kSilent);
  RuleFeed::Options hasty = options();
  hasty.start_deadline = Duration(1);
  RuleFeed feed(hasty, store_.factory(), metrics_);
  feed.start();
  EXPECT_EQ(feed.rules().current()->revision(), 5U);
  store_.set(rules_at(6));
  EXPECT_TRUE(serves(feed, 6));
}

TEST_F(RuleFeedTest, HasNoRulesRatherThanDamagedOnes) {
  std::ofstream(directory_ / "rules") << "ipmitrul and more";
  store_.set(rules_at(6), Mood::kTransient);
  RuleFeed feed(options(), store_.factory(), metrics_);
  feed.start();
  EXPECT_EQ(feed.state(common::now()), RuleState::kNone);
  EXPECT_EQ(feed.rules().current()->size(), 0U);
  EXPECT_THAT(metrics_.to_text(), testing::HasSubstr("ipmit_snapshot_age_seconds +Inf"));
  EXPECT_THAT(metrics_.to_text(), testing::HasSubstr("rules_state{state=\"none\"} 1"));
}

TEST_F(RuleFeedTest, IgnoresALowerRevisionOfTheSameEpoch) {
  store_.set(rules_at(9));
  RuleFeed feed(options(), store_.factory(), metrics_);
  feed.start();
  store_.set(rules_at(8));
  ASSERT_TRUE(wait_until([&] {
    return metrics_.to_text().find("rule_loads_total{result=\"older\"} 1") != std::string::npos;
  }));
  EXPECT_EQ(feed.rules().current()->revision(), 9U);
  store_.set(rules_at(3, "e2"));
  EXPECT_TRUE(serves(feed, 3)) << "a new epoch counts anew";
}

TEST_F(RuleFeedTest, IgnoresASourceThatIsOlderThanTheDisk) {
  schema::save_rules(directory_ / "rules", rules_at(9).set, "e1", common::now());
  store_.set(rules_at(8), Mood::kTransient);
  RuleFeed feed(options(), store_.factory(), metrics_);
  feed.start();
  store_.set(rules_at(8));
  ASSERT_TRUE(wait_until([&] {
    return metrics_.to_text().find("rule_loads_total{result=\"older\"} 1") != std::string::npos;
  }));
  EXPECT_EQ(feed.state(common::now()), RuleState::kFromDisk);
  EXPECT_EQ(feed.rules().current()->revision(), 9U);
}

TEST_F(RuleFeedTest, ReloadsWhenAsked) {
  store_.set(rules_at(5));
  RuleFeed feed(options(), store_.factory(), metrics_);
  feed.start();
  const int opened = store_.opened();
  feed.reload();
  EXPECT_TRUE(wait_until([&] { return store_.opened() == opened + 1 && store_.loads() >= 2; }));
}

TEST_F(RuleFeedTest, SavesTheLastRulesBeforeItEnds) {
  store_.set(rules_at(5));
  RuleFeed::Options lazy = options();
  lazy.save_every = std::chrono::hours(1);
  {
    RuleFeed feed(lazy, store_.factory(), metrics_);
    feed.start();
    ASSERT_TRUE(wait_until([&] { return saved_revision() == 5; })) << "the first one at once";
    store_.set(rules_at(6));
    ASSERT_TRUE(serves(feed, 6));
    EXPECT_EQ(saved_revision(), 5U);
  }
  EXPECT_EQ(saved_revision(), 6U);
}

TEST_F(RuleFeedTest, WritesARemovedSnapshotAgain) {
  store_.set(rules_at(5));
  RuleFeed feed(options(), store_.factory(), metrics_);
  feed.start();
  ASSERT_TRUE(wait_until([&] { return saved_revision() == 5; }));
  std::filesystem::remove(directory_ / "rules");
  EXPECT_TRUE(wait_until([&] { return saved_revision() == 5; }));
}

TEST_F(RuleFeedTest, WorksWithoutADisk) {
  store_.set(rules_at(5));
  RuleFeed::Options no_file = options();
  no_file.snapshot_file.clear();
  RuleFeed feed(no_file, store_.factory(), metrics_);
  feed.start();
  EXPECT_EQ(feed.rules().current()->revision(), 5U);
}

}  // namespace
}  // namespace ipmit::milter
