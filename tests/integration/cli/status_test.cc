// SPDX-License-Identifier: Apache-2.0
// ipmitctl status and --wait beside real milters, on PostgreSQL and Redis and on one host.
#include <csignal>
#include <memory>
#include <regex>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "tests/support/milter_daemon.h"
#include "tests/support/sample_rules.h"
#include "tests/support/temp_redis.h"
#include "tests/support/test_fleet.h"

namespace ipmit::test {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

class FleetStatus : public testing::Test {
 protected:
  void SetUp() override {
    if (const auto reason = TempPostgres::missing(); !reason.empty()) GTEST_SKIP() << reason;
    fleet_ = std::make_unique<TestFleet>(redis_.url(), TestFleet::Options{.milters = 2});
  }
  void TearDown() override {
    if (HasFailure() && fleet_) std::cerr << fleet_->logs();
  }

  // What a milter says to a sender right now, without waiting for anything.
  char answer(std::size_t milter, const std::string& sender) const {
    return open_session(fleet_->address(milter), "192.0.2.20").mail("<" + sender + ">").command;
  }
  void expect_everywhere(char want, const std::string& sender) const {
    for (std::size_t i = 0; i < fleet_->milters(); ++i)
      EXPECT_EQ(answer(i, sender), want) << "milter " << i << ", " << sender;
  }
  void expect(const Arguments& words, int status, const std::string& part) const {
    const CommandResult result = fleet_->ctl(words);
    EXPECT_EQ(result.status, status) << words[0] << ": " << result.output;
    EXPECT_THAT(result.output, HasSubstr(part)) << words[0];
  }

  TempRedis redis_;
  std::unique_ptr<TestFleet> fleet_;
};

TEST_F(FleetStatus, TellsWhoEnforcesWhat) {
  expect({"status"}, 0, "all milters enforce what the store says");
  nlohmann::json status;
  EXPECT_TRUE(wait_until([&] {  // signs are given every second
    status = nlohmann::json::parse(fleet_->ctl({"status", "-o", "json"}).output);
    return status["controllers"].size() == 1 && status["controllers"][0]["state"] == "leads";
  })) << status;
  EXPECT_EQ(status["store"], "postgresql");
  EXPECT_EQ(status["cache"]["revision"], status["revision"]);
  EXPECT_EQ(status["problems"].size(), 0U);
  EXPECT_EQ(status["controllers"][0]["id"], status["leader"]);
  ASSERT_EQ(status["milters"].size(), 2U);
  for (const auto& milter : status["milters"]) {
    EXPECT_EQ(milter["state"], "fresh");
    EXPECT_EQ(milter["revision"], status["revision"]);
    EXPECT_EQ(milter["epoch"], status["cache"]["epoch"]);
    EXPECT_EQ(milter["rules"], 3);
    EXPECT_EQ(milter["inStep"], true);
  }

  fleet_->milter(1).process().signal(SIGSTOP);
  fleet_->change();
  const std::string stopped = "/" + std::to_string(fleet_->milter(1).process().pid());
  expect({"status"}, 1, stopped + " has revision ");
  fleet_->milter(1).process().signal(SIGCONT);
  ASSERT_TRUE(fleet_->wait_enforced());

  fleet_->controller().kill();
  expect({"status"}, 1, "problem: no controller leads");
  redis_.kill();
  expect({"status"}, 3, "problem: cache: ");
  fleet_->postgres().stop();
  const CommandResult nothing = fleet_->ctl({"status"});
  EXPECT_EQ(nothing.status, 3);
  EXPECT_THAT(nothing.output, AllOf(HasSubstr("problem: store: "), HasSubstr("problem: cache: ")));
}

TEST_F(FleetStatus, WaitReturnsWhenEveryMilterEnforcesTheChange) {
  expect({"add", "-n", "w/1", "-t", "domain:w1.example", "-a", "reject", "-r", "t", "--wait"}, 0,
         "2 milters enforce revision ");
  expect_everywhere('y', "a@w1.example");
  expect({"exempt", "add", "192.0.2.20", "-r", "t", "--wait=20s"}, 0, "2 milters enforce");
  expect_everywhere('c', "a@w1.example");
  expect({"exempt", "remove", "192.0.2.20", "-r", "t", "--wait"}, 0, "2 milters enforce");
  expect_everywhere('y', "a@w1.example");
  expect({"release", "--wait", "w/1", "-r", "t"}, 0, "2 milters enforce");
  expect_everywhere('c', "a@w1.example");

  const std::string file = (fleet_->directory() / "more.jsonl").string();
  write_file(file,
             R"({"name":"w/2","targets":["domain:w2.example"],"action":"Reject","reason":"t"})");
  const CommandResult imported = fleet_->ctl({"import", file, "-r", "t", "--wait", "-o", "json"});
  EXPECT_EQ(imported.status, 0);
  EXPECT_THAT(imported.output, HasSubstr(R"("enforced":true)"));
  expect_everywhere('y', "a@w2.example");
}

TEST_F(FleetStatus, WaitNamesWhoDoesNotEnforceIt) {
  // Both have said which revision they hold.
  ASSERT_EQ(fleet_
                ->ctl({"add", "-n", "w/0", "-t", "domain:w0.example", "-a", "reject", "-r", "t",
                       "--wait=20s"})
                .status,
            0);
  fleet_->milter(0).process().signal(SIGSTOP);
  const auto pid = [&](std::size_t i) {
    return "/" + std::to_string(fleet_->milter(i).process().pid()) + " has revision ";
  };
  const CommandResult result = fleet_->ctl(
      {"add", "-n", "w/1", "-t", "domain:w1.example", "-a", "reject", "-r", "t", "--wait=1500ms"});
  EXPECT_EQ(result.status, 1);
  EXPECT_THAT(result.output,
              AllOf(HasSubstr("stored, but not enforced everywhere after "), HasSubstr(pid(0)),
                    Not(HasSubstr(pid(1))), HasSubstr(" behind\n")));
  EXPECT_EQ(answer(1, "a@w1.example"), 'y');
  fleet_->milter(0).process().signal(SIGCONT);

  redis_.kill();
  expect({"release", "w/1", "-r", "t", "--wait=300ms"}, 1, "stored, but not enforced everywhere");
  expect({"show", "w/1"}, 1, "");
}

TEST_F(FleetStatus, WhatIsExportedIsImportedAgain) {
  std::vector<policy::Mitigation> rules = {full_rule("full", 0)};
  rules.push_back(throttle("mail/plain", "192.0.2.1", 0));
  for (policy::Mitigation& rule : rules) fleet_->put(rule);
  ASSERT_EQ(fleet_->ctl({"exempt", "add", "198.51.100.0/24", "-r", "office"}).status, 0);
  const auto exported = [&] {
    return std::regex_replace(fleet_->ctl({"export"}).output, std::regex(R"(,"revision":\d+)"), "");
  };
  // The verbs that only look, on PostgreSQL.
  expect({"list"}, 0, "mail/plain");
  expect({"show", "mail/plain"}, 0, "192.0.2.1");
  expect({"explain", "192.0.2.1"}, 0, "mail/plain");
  expect({"test", "--client", "192.0.2.1", "--from", "a@example.com", "--to", "b@example.net"}, 0,
         "mail/plain");
  expect({"audit", "mail/plain"}, 0, "add");
  expect({"exempt", "list"}, 0, "198.51.100.0/24");
  const std::string before = exported();
  EXPECT_THAT(before, AllOf(HasSubstr(R"("name":"full")"), HasSubstr("198.51.100.0/24")));
  const std::string file = (fleet_->directory() / "all.jsonl").string();
  write_file(file, before);
  fleet_->postgres().sql(fleet_->database(),
                         "DELETE FROM ipmit.mitigations; DELETE FROM ipmit.exemptions");
  EXPECT_EQ(exported(), "");
  expect({"import", file, "-r", "moved", "--wait"}, 0,
         " added, 0 replaced, 0 unchanged, 0 refused");
  EXPECT_EQ(exported(), before);
  expect({"import", file, "-r", "moved"}, 0, "0 added, 0 replaced, ");
}

TEST(HostStatus, AsksTheMilterOfThisHost) {
  const TempDir directory("host");
  MilterDaemon milter(directory, "first");
  ASSERT_TRUE(milter.wait_ready()) << milter.log();
  const std::string config = (directory / "first.yaml").string();
  const auto ctl = [&](Arguments words) {
    words.insert(words.begin(),
                 {std::string(IPMIT_BINARY_DIR) + "/bin/ipmitctl", "--config", config});
    return run_command(words);
  };
  const Arguments add = {"add", "-n",     "w/1", "-t", "domain:w1.example",
                         "-a",  "reject", "-r",  "t",  "--wait"};
  const CommandResult added = ctl(add);
  EXPECT_EQ(added.status, 0) << added.output;
  EXPECT_THAT(added.output, HasSubstr("1 milter enforces revision 1 after "));
  EXPECT_EQ(open_session(milter.address(), "192.0.2.20").mail("<a@w1.example>").command, 'y');
  const CommandResult fine = ctl({"status"});
  EXPECT_EQ(fine.status, 0) << fine.output;
  EXPECT_THAT(fine.output, AllOf(HasSubstr("SQLite, of this host alone"), HasSubstr("fresh")));

  milter.process().stop(SIGTERM);
  const CommandResult alone = ctl({"status"});
  EXPECT_EQ(alone.status, 1);
  EXPECT_THAT(alone.output, HasSubstr("problem: no milter is alive"));
  EXPECT_EQ(ctl({"release", "w/1", "-r", "t", "--wait=100ms"}).status, 1);
}

}  // namespace
}  // namespace ipmit::test
