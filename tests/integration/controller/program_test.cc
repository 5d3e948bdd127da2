// SPDX-License-Identifier: Apache-2.0
// The program ipmit-controller: what it refuses, what it tells, what it takes over.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/temp_redis.h"
#include "tests/support/test_fleet.h"

namespace ipmit::test {
namespace {

using testing::AllOf;
using testing::HasSubstr;

CommandResult run_program(const std::string& name, const Arguments& words) {
  Arguments command = {std::string(IPMIT_BINARY_DIR) + "/bin/" + name};
  command.insert(command.end(), words.begin(), words.end());
  return run_command(command);
}
CommandResult controller(const Arguments& words) {
  return run_program("ipmit-controller", words);
}

TEST(ControllerProgram, RefusesABadConfigurationWithPlaceAndReason) {
  const TempDir files("controller");
  const std::string config = (files / "c.yaml").string();
  const struct {
    const char* text;
    const char* reason;  // empty: fine
  } rows[] = {
      {"store: postgresql:///ipmit\ncache: redis://127.0.0.1\n", ""},
      {"cache: redis://127.0.0.1\n", "c.yaml: store: the controller needs postgresql://"},
      {"store: postgresql:///ipmit\n", "c.yaml: cache: the controller needs redis://"},
      {"store: postgresql:///ipmit\ncache: rediss://127.0.0.1\n", "c.yaml:2: cache: "},
      {"store: postgresql:///ipmit\ncache: redis+sentinel://127.0.0.1\n", "c.yaml: cache: "},
      {"store: [\n", "c.yaml:"},
      {"store: postgresql:///ipmit\ncache: redis://127.0.0.1\ncontroller:\n  metrics: x\n",
       "c.yaml:4: controller.metrics: "},
  };
  for (const auto& row : rows) {
    write_file(config, row.text);
    const CommandResult checked = controller({"--config", config, "--check-config"});
    if (*row.reason == '\0') {
      EXPECT_EQ(checked.status, 0) << row.text;
      EXPECT_EQ(checked.output, config + ": ok\n");
      continue;
    }
    EXPECT_EQ(checked.status, 2) << row.text;
    EXPECT_THAT(checked.output, HasSubstr(row.reason)) << row.text;
    const CommandResult started = controller({"--config", config});
    EXPECT_EQ(started.status, 2) << row.text;
    EXPECT_EQ(started.output, checked.output);
  }
  EXPECT_EQ(controller({"--config", "/none/ipmit.yaml"}).status, 2);
  EXPECT_EQ(controller({"--what"}).status, 2);
}

TEST(ControllerProgram, AMilterOfAFleetNeedsTheCacheToo) {
  const TempDir files("milter");
  const std::string config = (files / "m.yaml").string();
  const std::pair<const char*, const char*> rows[] = {
      {"store: postgresql:///ipmit\n", "m.yaml: cache: must be set with a postgresql: store"},
      {"cache: redis+sentinel://127.0.0.1\n", "m.yaml: cache: "}};
  for (const auto& [text, reason] : rows) {
    write_file(config, text);
    for (const Arguments& words :
         {Arguments{"--config", config, "--check-config"}, Arguments{"--config", config}}) {
      const CommandResult refused = run_program("ipmit-milter", words);
      EXPECT_EQ(refused.status, 2) << text;
      EXPECT_THAT(refused.output, HasSubstr(reason));
    }
  }
}

class ControllerDaemon : public testing::Test {
 protected:
  void SetUp() override {
    if (const auto reason = TempPostgres::missing(); !reason.empty()) GTEST_SKIP() << reason;
  }
};

TEST_F(ControllerDaemon, ServesReloadsAndStops) {
  const TempRedis redis;
  TestFleet fleet(redis.url(), {.milters = 0});
  Daemon& leader = fleet.controller();
  EXPECT_EQ(leader.http("/livez").status, 200);
  EXPECT_TRUE(wait_until([&] { return leader.http("/readyz").body == "leads\n"; }));
  EXPECT_TRUE(wait_until([&] { return leader.metric("ipmit_controller_cache_in_step") == 1; }));
  EXPECT_EQ(leader.metric("ipmit_controller_leader"), 1);
  EXPECT_GT(leader.metric("ipmit_controller_projected_revision"), 0);
  EXPECT_EQ(leader.metric("ipmit_controller_config_good"), 1);

  const auto hangup = [&](const std::string& text, const std::string& logged) {
    leader.write_config(text);
    leader.process().signal(SIGHUP);
    EXPECT_TRUE(leader.wait_for_log(logged)) << logged << "\n" << leader.log();
  };
  const std::string section = "controller:\n  metrics_listen: 127.0.0.1:1\n";
  hangup(fleet.config_text("nonsense: 1\n"), "event=config_refused");
  EXPECT_EQ(leader.metric("ipmit_controller_config_good"), 0);
  EXPECT_EQ(leader.metric("ipmit_controller_reload_failures_total"), 1);
  hangup("store: sqlite:/none\n", "reason=\"store: the controller needs postgresql");
  hangup(fleet.config_text("log:\n  level: debug\n" + section),
         "restart_needed=yes restart_keys=controller.metrics_listen");
  EXPECT_EQ(leader.metric("ipmit_controller_config_good"), 1);
  EXPECT_EQ(leader.http("/readyz").body, "leads\n") << "nothing else has changed";

  EXPECT_EQ(leader.process().stop(SIGTERM), 0) << leader.log();
  EXPECT_EQ(redis.cli({"ZCARD", "ipmit:controllers"}), "0") << "took its leave";
}

TEST_F(ControllerDaemon, WaitsForPostgresAtItsStart) {
  const TempRedis redis;
  TestFleet fleet(redis.url(), {.milters = 0});
  fleet.controller().kill();
  fleet.postgres().stop();
  fleet.controller().start();
  EXPECT_TRUE(fleet.controller().wait_for_log("event=store_failed"));
  EXPECT_EQ(fleet.controller().http("/livez").status, 200);
  const HttpAnswer ready = fleet.controller().http("/readyz");
  EXPECT_EQ(ready.status, 503);
  EXPECT_EQ(ready.body, "no store\n");
  EXPECT_THAT(redis.cli({"HVALS", "ipmit:controller:" +
                                      redis.cli({"ZRANGE", "ipmit:controllers", "-1", "-1"})}),
              HasSubstr("no store"));
  fleet.postgres().start();
  EXPECT_TRUE(wait_until([&] { return fleet.leader() == 0; })) << fleet.logs();
  const auto in_step = [&] { return fleet.controller().metric("ipmit_controller_cache_in_step"); };
  EXPECT_TRUE(wait_until([&] { return in_step() == 1; }));
  fleet.postgres().stop();
  EXPECT_TRUE(wait_until([&] { return in_step() == 0; })) << "who does not lead does not know";
  EXPECT_EQ(fleet.controller().metric("ipmit_controller_leader"), 0);
  EXPECT_TRUE(wait_until([&] { return fleet.controller().http("/readyz").status == 503; }));
}

// Passwords change while programs run: they are read again at each connect.
TEST_F(ControllerDaemon, FollowsAChangedPassword) {
  const TempDir files("password");
  const std::string file = (files / "redis").string();
  write_file(file, "one\n");
  const TempRedis redis({"--requirepass", "one"});
  TestFleet fleet(redis.url(), {.milters = 1, .extra = "cache_password_file: " + file + "\n"});
  redis.cli({"--no-auth-warning", "-a", "one", "CONFIG", "SET", "requirepass", "two"});
  write_file(file, "two\n");
  redis.cli(
      {"--no-auth-warning", "-a", "two", "CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"});
  fleet.change();
  EXPECT_TRUE(fleet.wait_enforced()) << fleet.logs();
}

}  // namespace
}  // namespace ipmit::test
