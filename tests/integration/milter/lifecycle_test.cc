// SPDX-License-Identifier: Apache-2.0
// Start, reload, drain, take-over and end of the built program.
#include <atomic>
#include <thread>

#include <gtest/gtest.h>
#include <signal.h>

#include "tests/support/milter_client.h"
#include "tests/support/milter_daemon.h"

namespace ipmit::test {
namespace {

using policy::Action;

class Lifecycle : public testing::Test {
 protected:
  std::unique_ptr<MilterDaemon> start(const std::string& name, MilterDaemon::Options options = {}) {
    auto daemon = std::make_unique<MilterDaemon>(directory_, name, std::move(options));
    EXPECT_TRUE(daemon->wait_ready()) << daemon->log();
    return daemon;
  }
  void SetUp() override {
    MilterDaemon::put(directory_,
                      {make_rule("test/defer", "domain:defer.example", Action::kDefer)});
  }

  TempDir directory_{"milter"};
};

bool logged(const MilterDaemon& daemon, std::string_view text) {
  return wait_until([&] { return daemon.log().find(text) != std::string::npos; });
}

TEST_F(Lifecycle, ASignalWithoutSessionsEndsItAtOnce) {
  for (const int signal : {SIGTERM, SIGINT}) {
    auto daemon = start("milter" + std::to_string(signal));
    EXPECT_EQ(daemon->process().stop(signal), 0);
    EXPECT_TRUE(std::filesystem::is_socket(daemon->socket_path())) << "it may be a successor's";
  }
}

TEST_F(Lifecycle, TwoHundredSessionsEndInTheirOwnTime) {
  auto daemon = start("milter");
  std::vector<MilterClient> sessions;
  for (int i = 0; i < 200; ++i) {
    sessions.push_back(open_session(daemon->address(), "198.51.100.7"));
    ASSERT_EQ(sessions.back().mail("<a@example.com>").command, 'c');
  }
  constexpr std::size_t kInsideEnd = 20;
  for (std::size_t i = 0; i < kInsideEnd; ++i) {
    ASSERT_EQ(sessions[i].rcpt("<b@example.net>").command, 'c');
  }
  for (std::size_t i = 0; i < kInsideEnd; ++i) sessions[i].send_eom({{"i", "Q"}});
  daemon->process().signal(SIGTERM);
  for (std::size_t i = 0; i < kInsideEnd; ++i) {
    const EomReply answer = sessions[i].read_eom();
    EXPECT_EQ(answer.reply.command, 'c');
    EXPECT_EQ(answer.edits.size(), 1U);
    ASSERT_EQ(sessions[i].mail("<a@example.com>").command, 'c');
  }
  ASSERT_TRUE(logged(*daemon, "event=drain_started reason=signal open_sessions=200"))
      << daemon->log();
  EXPECT_EQ(daemon->http("GET", "/readyz").status, 503);
  EXPECT_FALSE(MilterClient(daemon->address(), common::Duration{0}).is_open());
  for (MilterClient& client : sessions) {
    EXPECT_EQ(client.rcpt("<b@example.net>").command, 'c');
    EXPECT_EQ(client.eom({{"i", "Q"}}).reply.command, 'c');
    EXPECT_EQ(client.mail("<a@defer.example>").command, 'y') << "a message more is decided, too";
    EXPECT_TRUE(daemon->process().running());
    client.quit();
  }
  EXPECT_EQ(daemon->process().wait(), 0);
  EXPECT_TRUE(logged(*daemon, "event=drain_ended open_sessions=0"));
}

TEST_F(Lifecycle, TheGraceEndsWhatDoesNotEnd) {
  auto daemon = start(
      "milter", {.settings = {{"drain_grace", "1s"}, {"pid_file", (directory_ / "pid").string()}}});
  EXPECT_EQ(read_file(directory_ / "pid"), std::to_string(daemon->process().pid()) + "\n");
  MilterClient client = open_session(daemon->address(), "198.51.100.7");
  MilterClient silent(daemon->address());
  EXPECT_EQ(daemon->process().stop(SIGTERM), 0);
  EXPECT_TRUE(logged(*daemon, "event=drain_ended open_sessions=2"));
  EXPECT_FALSE(std::filesystem::exists(directory_ / "pid"));
}

TEST_F(Lifecycle, DrainByHttp) {
  auto daemon = start("milter");
  EXPECT_EQ(daemon->http("GET", "/drain").status, 405);
  EXPECT_TRUE(daemon->process().running());
  EXPECT_EQ(daemon->http("POST", "/drain").status, 202);
  EXPECT_EQ(daemon->process().wait(), 0);
}

TEST_F(Lifecycle, ASuccessorTakesOverAndNoMessageFails) {
  std::atomic<bool> stop{false};
  std::atomic<int> failed{0}, sent{0};
  auto old_one = start("first");
  const common::ListenAddress address = old_one->address();
  std::vector<std::jthread> clients;
  for (int i = 0; i < 3; ++i) {
    clients.emplace_back([&] {
      while (!stop) {
        MilterClient client = open_session(address, "198.51.100.7");
        for (int message = 0; message < 3; ++message) {
          const bool good = client.mail("<a@example.com>").command == 'c' &&
                            client.rcpt("<b@example.net>").command == 'c' &&
                            client.eom({{"i", "Q"}}).reply.command == 'c';
          ++(good ? sent : failed);
        }
        client.quit();
      }
    });
  }
  for (int round = 0; round < 3; ++round) {
    const int before = sent;
    ASSERT_TRUE(wait_until([&] { return sent > before + 100; }));
    auto successor = start("next" + std::to_string(round));
    EXPECT_EQ(old_one->process().wait(), 0);
    EXPECT_TRUE(logged(*old_one, "event=drain_started reason=successor"));
    old_one = std::move(successor);
  }
  const int before = sent;
  EXPECT_TRUE(wait_until([&] { return sent > before + 100; }));
  stop = true;
  clients.clear();
  EXPECT_EQ(failed, 0) << "of " << sent;
}

TEST_F(Lifecycle, AHangupTakesNewRulesAndRefusesABadFile) {
  auto daemon = start("milter");
  MilterClient client = open_session(daemon->address(), "198.51.100.7");
  daemon->append_to_settings("  no_such_key: 1\n");
  daemon->process().signal(SIGHUP);
  ASSERT_TRUE(logged(*daemon, "event=config_refused"));
  EXPECT_NE(daemon->log().find("no_such_key"), std::string::npos);
  EXPECT_EQ(daemon->metric("ipmit_milter_reload_failures_total"), 1);
  EXPECT_EQ(daemon->metric("ipmit_milter_config_good"), 0);
  EXPECT_EQ(client.mail("<a@defer.example>").command, 'y') << "the old rules and this session stay";

  MilterDaemon::put(directory_, {make_rule("test/new", "domain:new.example", Action::kReject)});
  daemon->write_settings({{"trace_header", "false"}});
  daemon->process().signal(SIGHUP);
  ASSERT_TRUE(logged(*daemon, "event=config_reloaded"));
  EXPECT_EQ(daemon->metric("ipmit_milter_config_good"), 1);
  EXPECT_TRUE(wait_until([&] { return client.mail("<a@new.example>").command == 'y'; }));
  ASSERT_EQ(client.mail("<a@example.com>").command, 'c');
  ASSERT_EQ(client.rcpt("<b@example.net>").command, 'c');
  const EomReply answer = client.eom({{"i", "Q"}});
  EXPECT_EQ(answer.reply.command, 'c');
  EXPECT_TRUE(answer.edits.empty()) << "no trace header any more";
}

TEST_F(Lifecycle, ARemovedSocketIsMadeAnew) {
  auto daemon = start("milter");
  MilterClient client = open_session(daemon->address(), "198.51.100.7");
  std::filesystem::remove(daemon->socket_path());
  ASSERT_TRUE(logged(*daemon, "event=socket_lost"));
  EXPECT_EQ(open_session(daemon->address(), "198.51.100.7").mail("<a@defer.example>").command, 'y');
  EXPECT_EQ(client.mail("<a@defer.example>").command, 'y');
  EXPECT_EQ(daemon->process().stop(SIGTERM, std::chrono::milliseconds(1)), std::nullopt);
  client.quit();
  EXPECT_EQ(daemon->process().wait(), 0);
}

TEST_F(Lifecycle, WhatItCannotServeItSaysAndEnds) {
  {
    write_file(directory_ / "m.sock", "precious");
    MilterDaemon daemon(directory_, "milter");
    EXPECT_EQ(daemon.process().wait(), 1);
    EXPECT_NE(daemon.log().find("is not a socket"), std::string::npos) << daemon.log();
    EXPECT_EQ(read_file(directory_ / "m.sock"), "precious");
    std::filesystem::remove(directory_ / "m.sock");
  }
  {
    MilterDaemon daemon(directory_, "bad", {.settings = {{"socket", "unix:relative"}}});
    EXPECT_EQ(daemon.process().wait(), 2);
    EXPECT_NE(daemon.log().find("socket"), std::string::npos) << daemon.log();
  }
  auto running = start("running");
  MilterDaemon second(directory_, "second", {.settings = {{"socket_group", "no-such-group"}}});
  EXPECT_NE(second.process().wait().value_or(0), 0);
  EXPECT_EQ(open_session(running->address(), "198.51.100.7").mail("<a@defer.example>").command, 'y')
      << "a successor that cannot start leaves the running one alone";
}

}  // namespace
}  // namespace ipmit::test
