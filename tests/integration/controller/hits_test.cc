// SPDX-License-Identifier: Apache-2.0
// Hits on their way from Redis to PostgreSQL, with a real controller killed between the steps: each
// counts once.
#include <memory>

#include <gtest/gtest.h>

#include "schema/postgres_connection.h"
#include "schema/redis_hits.h"
#include "schema/redis_url.h"
#include "tests/support/temp_redis.h"
#include "tests/support/test_fleet.h"

namespace ipmit::test {
namespace {

class Hits : public testing::Test {
 protected:
  void SetUp() override {
    if (const auto reason = TempPostgres::missing(); !reason.empty()) GTEST_SKIP() << reason;
    fleet_ = std::make_unique<TestFleet>(redis_.url(), TestFleet::Options{.milters = 0});
  }

  void add(std::uint64_t count) {
    schema::RedisOptions options;
    options.url = *schema::parse_redis_url(redis_.url());
    schema::RedisHits(options).add({{"listed/reject", count, common::now()}});
  }
  std::string recorded() {
    return fleet_->postgres().sql(fleet_->database(), "SELECT sum(count) FROM ipmit.hits");
  }
  bool wait_recorded(const std::string& count) {
    return wait_until([&] { return recorded() == count; });
  }
  bool exists(const std::string& key) const { return redis_.cli({"EXISTS", key}) == "1"; }
  bool all_gone() const { return !exists("ipmit:hits") && !exists("ipmit:hits:taken"); }

  TempRedis redis_;
  std::unique_ptr<TestFleet> fleet_;
};

// Taken from Redis; PostgreSQL keeps the controller waiting there until it is killed.
TEST_F(Hits, KilledBeforeTheStoreHasThem) {
  add(3);
  ASSERT_TRUE(wait_recorded("3"));
  schema::PostgresConnection connection(fleet_->store_url());
  {
    schema::PostgresTransaction lock(connection, schema::PostgresTransaction::Kind::kWrite);
    lock.execute("LOCK TABLE ipmit.hits IN EXCLUSIVE MODE");
    add(4);
    ASSERT_TRUE(wait_until([&] { return exists("ipmit:hits:taken"); }));
    add(5);  // not in the batch
    fleet_->controller().kill();
  }
  EXPECT_EQ(recorded(), "3");
  fleet_->controller().start();
  EXPECT_TRUE(wait_recorded("12")) << fleet_->logs();
  EXPECT_TRUE(wait_until([&] { return all_gone(); }));
  EXPECT_EQ(recorded(), "12");
}

// The store has them, and Redis is gone before it can be told; it comes back with what it held.
TEST_F(Hits, KilledBeforeRedisForgetsThem) {
  add(3);
  ASSERT_TRUE(wait_recorded("3"));
  schema::PostgresConnection connection(fleet_->store_url());
  {
    schema::PostgresTransaction lock(connection, schema::PostgresTransaction::Kind::kWrite);
    lock.execute("LOCK TABLE ipmit.hits IN EXCLUSIVE MODE");
    add(4);
    ASSERT_TRUE(wait_until([&] { return exists("ipmit:hits:taken"); }));
    redis_.save();
    redis_.kill();
  }
  ASSERT_TRUE(wait_recorded("7"));
  fleet_->controller().kill();
  redis_.start();
  ASSERT_TRUE(exists("ipmit:hits:taken"));
  add(5);
  fleet_->controller().start();
  EXPECT_TRUE(wait_recorded("12")) << fleet_->logs();
  EXPECT_TRUE(wait_until([&] { return all_gone(); }));
  EXPECT_EQ(recorded(), "12");
}

}  // namespace
}  // namespace ipmit::test
