// SPDX-License-Identifier: Apache-2.0
// Real controllers on a real PostgreSQL and Redis: one leads, and killing it loses nothing.
#include <gtest/gtest.h>

#include "tests/support/temp_redis.h"
#include "tests/support/test_fleet.h"

namespace ipmit::test {
namespace {

class Leader : public testing::Test {
 protected:
  void SetUp() override {
    if (const auto reason = TempPostgres::missing(); !reason.empty()) GTEST_SKIP() << reason;
  }

  static std::uint64_t number(const std::string& text) {
    return text.empty() ? 0 : std::stoull(text);
  }
  std::uint64_t projected() const { return number(redis_.cli({"GET", "ipmit:revision"})); }
  static std::uint64_t recorded(TestFleet& fleet) {
    return number(fleet.postgres().sql(fleet.database(), "SELECT revision FROM ipmit.state"));
  }

  const TempRedis redis_;
};

TEST_F(Leader, OneLeadsAndTheOtherTakesOver) {
  TestFleet fleet(redis_.url(), {.milters = 1, .controllers = 2});
  for (int round = 0; round < 3; ++round) {
    const int leader = fleet.leader();
    ASSERT_GE(leader, 0);
    Daemon& standby = fleet.controller(static_cast<std::size_t>(1 - leader));
    EXPECT_TRUE(wait_until([&] { return standby.http("/readyz").body == "stands by\n"; }));
    fleet.controller(static_cast<std::size_t>(leader)).kill();
    fleet.change();
    EXPECT_TRUE(fleet.wait_enforced()) << fleet.logs();
    EXPECT_TRUE(wait_until([&] { return fleet.leader() == 1 - leader; }));
    fleet.controller(static_cast<std::size_t>(leader)).start();
  }
  EXPECT_EQ(fleet.differences(), 0U);
}

// PostgreSQL still has its connection, and nobody would ever lead if that were enough.
TEST_F(Leader, AHungLeaderIsReplaced) {
  TestFleet fleet(redis_.url(), {.milters = 1, .controllers = 2});
  const int hung = fleet.leader();
  ASSERT_GE(hung, 0);
  ChildProcess& process = fleet.controller(static_cast<std::size_t>(hung)).process();
  Daemon& other = fleet.controller(static_cast<std::size_t>(1 - hung));
  process.signal(SIGSTOP);
  fleet.change();
  EXPECT_TRUE(fleet.wait_enforced(kPatience * 2)) << other.log();
  EXPECT_EQ(other.metric("ipmit_controller_leader"), 1);
  process.signal(SIGCONT);
  EXPECT_TRUE(wait_until([&] { return fleet.leader() == 1 - hung; })) << fleet.logs();
  fleet.change();
  EXPECT_TRUE(fleet.wait_enforced()) << fleet.logs();
  EXPECT_EQ(fleet.differences(), 0U);
}

// The kill comes after each of many steps of the way: before it leads, while it compares, between
// and inside the batches. Whatever was done by half is finished by the next.
TEST_F(Leader, KilledAtEveryStepTheNextOneFinishesTheWork) {
  TestFleet fleet(redis_.url(), {.milters = 0, .rules = 2'000});
  Daemon& controller = fleet.controller();
  constexpr int kRounds = 12;
  for (int round = 0; round < kRounds; ++round) {
    // New ones, changed ones, ended ones; every fourth time Redis is empty as well.
    const std::string n = std::to_string(round);
    fleet.postgres().sql(
        fleet.database(),
        "INSERT INTO ipmit.mitigations (name, targets, action, reason) SELECT 'round" + n +
            "/' || g, ARRAY['user:u' || g || '@example.com'], 'Defer', 'new' "
            "FROM generate_series(1, 900) g;"
            "UPDATE ipmit.mitigations SET action = 'Defer', reason = 'changed " +
            n + "' WHERE name LIKE 'bulk/%" + std::to_string(round % 10) + "';" +
            "DELETE FROM ipmit.mitigations WHERE name LIKE 'round" + std::to_string(round - 2) +
            "/%5';"
            "INSERT INTO ipmit.mitigations (name, targets, action, reason, ends) VALUES ('short/" +
            n + "', '{192.0.2.9}', 'Defer', 'short', now() + interval '10 ms')");
    const std::uint64_t from = projected();
    const bool empty = round % 4 == 3;
    if (empty) redis_.cli({"FLUSHALL"});
    // How far it may come before it is killed: nothing at all, then ever more of the way.
    const std::uint64_t way = recorded(fleet) - from;
    const std::uint64_t step = way * static_cast<std::uint64_t>(round) / kRounds;
    EXPECT_TRUE(wait_until([&] {
      return empty ? !redis_.cli({"KEYS", "ipmit:mitigation:bulk/9*"}).empty()
                   : projected() >= from + step;
    })) << round
        << "\n"
        << controller.log();
    controller.kill();
    controller.start();
  }
  EXPECT_TRUE(wait_until([&] { return fleet.leader() == 0 && projected() == recorded(fleet); }))
      << controller.log();
  EXPECT_EQ(fleet.differences(), 0U);
  EXPECT_EQ(
      fleet.postgres().sql(fleet.database(),
                           "SELECT count(*) FROM ipmit.mitigations WHERE name LIKE 'short/%'"),
      "0")
      << "what has ended is gone";
}

TEST_F(Leader, PutsRightWhatHasTheWrongType) {
  TestFleet fleet(redis_.url(), {.milters = 1});
  const std::string target = "ipmit:target:203.0.113.66";
  const std::string stray = "ipmit:target:192.0.2.250";
  const std::string record = "ipmit:mitigation:listed/reject";
  const auto is_right = [&] {
    return redis_.cli({"SMEMBERS", target}) == "listed/reject" &&
           redis_.cli({"HGET", record, "action"}) == "Reject" &&
           redis_.cli({"EXISTS", stray}) == "0" &&
           redis_.cli({"TYPE", "ipmit:mitigations"}) == "zset" &&
           redis_.cli({"TYPE", "ipmit:changes"}) != "string";
  };
  ASSERT_TRUE(is_right());
  const std::vector<std::vector<Arguments>> rows = {
      {{"SET", target, "x"}, {"SET", stray, "x"}},
      {{"DEL", record}, {"SADD", record, "x"}},
      {{"SET", "ipmit:mitigations", "x"}, {"LPUSH", "ipmit:exemptions", "x"}},
      {{"SET", "ipmit:changes", "x"}},
  };
  for (const auto& row : rows) {
    for (const Arguments& command : row) redis_.cli(command);
    EXPECT_TRUE(wait_until(is_right)) << row[0][1] << "\n" << fleet.logs();
    fleet.change();
    EXPECT_TRUE(fleet.wait_enforced()) << row[0][1] << "\n" << fleet.logs();
  }
  EXPECT_EQ(fleet.controller().metric("ipmit_controller_repairs_total{kind=\"damaged\"}"), 6);
  EXPECT_EQ(fleet.differences(), 0U);
}

}  // namespace
}  // namespace ipmit::test
