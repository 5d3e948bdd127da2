// SPDX-License-Identifier: Apache-2.0
#include "milter/decision_state.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/error.h"
#include "tests/support/process.h"
#include "tests/support/sample_rules.h"

namespace ipmit::milter {
namespace {

class DecisionStateTest : public testing::Test {
 protected:
  DecisionStateTest() {
    settings_.store = "sqlite:" + (directory_ / "ipmit.db").string();
    settings_.milter.snapshot_file = directory_ / "rules";
  }

  test::TempDir directory_{"state"};
  conf::Settings settings_;
  common::Metrics metrics_;
};

TEST_F(DecisionStateTest, TakesRulesFromTheStoreAndCountsHitsThere) {
  const auto store = schema::open_store(settings_.store, true);
  auto rule = test::reject("one", "192.0.2.1", 0);
  store->put(rule, schema::PutMode::kAddOnly, {"test", "test"}, common::now());

  DecisionState state(settings_, metrics_);
  state.start();
  EXPECT_EQ(state.feed().state(common::now()), RuleState::kFresh);
  EXPECT_EQ(state.feed().rules().current()->size(), 1U);

  auto second = test::reject("two", "192.0.2.2", 0);
  store->put(second, schema::PutMode::kAddOnly, {"test", "test"}, common::now());
  EXPECT_TRUE(test::wait_until([&] { return state.feed().rules().current()->size() == 2; }));

  state.hit_sink()({{"one", 3, common::now()}});
  EXPECT_EQ(store->hits({"one"}).at(0).count, 3U);
}

TEST_F(DecisionStateTest, NamesTheSettingThatCannotBe) {
  const struct {
    const char* store;
    const char* cache;
    const char* want;
  } rows[] = {
      {"postgresql://db/ipmit", "", "cache: must be set"},
      {"postgresql://db/ipmit", "rediss://cache", "cache: rediss://cache: "},
      {"sqlite:/nowhere", "memcached://cache", "cache: memcached://cache: expected redis://"},
  };
  for (const auto& row : rows) {
    settings_.store = row.store;
    settings_.cache = row.cache;
    try {
      DecisionState state(settings_, metrics_);
      ADD_FAILURE() << row.store << ' ' << row.cache;
    } catch (const common::PermanentError& error) {
      EXPECT_THAT(error.what(), testing::StartsWith(row.want));
    }
  }
}

}  // namespace
}  // namespace ipmit::milter
