// SPDX-License-Identifier: Apache-2.0
// No client may crash, stall or exhaust the milter, whatever it sends or leaves out.
#include <gtest/gtest.h>
#include <sys/socket.h>

#include "tests/support/frozen_threads.h"
#include "tests/support/milter_client.h"
#include "tests/support/milter_daemon.h"

namespace ipmit::test {
namespace {

using policy::Action;

class Robustness : public testing::Test {
 protected:
  void start(MilterDaemon::Options options = {}) {
    MilterDaemon::put(directory_,
                      {make_rule("test/defer", "domain:defer.example", Action::kDefer)});
    daemon_ = std::make_unique<MilterDaemon>(directory_, "milter", std::move(options));
    ASSERT_TRUE(daemon_->wait_ready()) << daemon_->log();
  }
  void expect_service() {
    MilterClient client = open_session(daemon_->address(), "198.51.100.7");
    EXPECT_EQ(client.mail("<a@defer.example>").command, 'y');
    EXPECT_EQ(client.mail("<a@example.com>").command, 'c');
  }
  bool descriptors_back_to(std::size_t before) {
    return wait_until([&] { return daemon_->descriptors() <= before + 2; });
  }

  TempDir directory_{"milter"};
  std::unique_ptr<MilterDaemon> daemon_;
};

void reset(MilterClient& client) {
  const linger now{1, 0};
  setsockopt(client.wire().fd(), SOL_SOCKET, SO_LINGER, &now, sizeof now);
  client.wire().close();
}

TEST_F(Robustness, ConnectionsThatEndAtAnyByte) {
  start();
  const std::size_t before = daemon_->descriptors();
  using namespace std::string_view_literals;
  const std::string dialogue =
      common::encode_packet('O', common::negotiation(0x1ff, 0x1fffff)) +
      common::encode_packet('D', "C{daemon_port}\0\x32\x35\0"sv) +
      common::encode_packet('C', common::connect_info("c.example", '4', 4000, "198.51.100.7")) +
      common::encode_packet('M', "<a@example.com>\0"sv) +
      common::encode_packet('R', "<b@example.net>\0"sv) + common::encode_packet('E', ""sv);
  for (int round = 0; round < 5; ++round) {
    for (std::size_t length = 0; length <= dialogue.size(); ++length) {
      MilterClient client(daemon_->address());
      ASSERT_TRUE(client.is_open());
      client.wire().send_bytes(std::string_view(dialogue).substr(0, length));
      if ((length + static_cast<std::size_t>(round)) % 2 == 0) reset(client);
    }
  }
  expect_service();
  EXPECT_TRUE(descriptors_back_to(before)) << daemon_->descriptors() << " now, before " << before;
  EXPECT_TRUE(wait_until([&] { return daemon_->metric("ipmit_milter_messages_open") <= 0; }));
}

// Each half packet keeps one of libmilter's threads; more than a few are docs/libmilter-limits.md.
TEST_F(Robustness, AHalfPacketHoldsNobodyUp) {
  start();
  MilterClient half(daemon_->address());
  half.wire().send_bytes(std::string_view("\0\0\0\x0dO\0\0", 7));
  for (int i = 0; i < 20; ++i) expect_service();
  EXPECT_EQ(daemon_->http("GET", "/livez").status, 200);
}

// A process that lives while its library answers nobody.
TEST_F(Robustness, AStuckLibraryIsNotAlive) {
  start({.settings = {{"probe_every", "100ms"}, {"probe_deadline", "200ms"}}});
  const auto livez = [&] { return daemon_->http("GET", "/livez").status; };
  ASSERT_EQ(livez(), 200);
  {
    const FrozenThreads library(daemon_->process().pid(), "libmilter");
    if (library.count() == 0) GTEST_SKIP() << "this system allows no ptrace";
    EXPECT_TRUE(wait_until([&] { return livez() == 503; }));
    EXPECT_GE(daemon_->metric("ipmit_milter_probe_failures_total"), 1);
  }
  EXPECT_TRUE(wait_until([&] { return livez() == 200; }));
  expect_service();
}

TEST_F(Robustness, ResetStormsKeepTheSessionInStep) {
  start();
  MilterClient client = open_session(daemon_->address(), "198.51.100.7");
  for (int i = 0; i < 1000; ++i) {
    client.abort();
    if (i % 3 == 0) {
      ASSERT_EQ(client.mail("<a@example.com>").command, 'c');
    }
    if (i % 5 == 0) {
      client.abort();
      client.abort();
      ASSERT_EQ(client.mail("<a@defer.example>").command, 'y');
    }
  }
  client.abort();
  ASSERT_EQ(client.mail("<a@example.com>").command, 'c');
  ASSERT_EQ(client.rcpt("<b@example.net>").command, 'c');
  EXPECT_EQ(client.eom().reply.command, 'c');
}

TEST_F(Robustness, GarbageClosesThatConnectionOnly) {
  start();
  using namespace std::string_view_literals;
  for (const std::string_view garbage :
       {"GET / HTTP/1.1\r\n\r\n"sv, "\0\0\0\0"sv, "\xff\xff\xff\xffO"sv, "\0\0\0\1Z"sv,
        "\0\0\0\1M"sv, "\0\0\0\5Oabcd"sv}) {
    MilterClient client(daemon_->address(), common::Duration{100});
    client.wire().send_bytes(garbage);
    client.read_reply();
  }
  MilterClient empty = open_session(daemon_->address(), "198.51.100.7");
  empty.wire().send('M', {});
  empty.read_reply();
  expect_service();
}

TEST_F(Robustness, ManySessionsLeaveNothingBehind) {
  start();
  constexpr int kSessions = 3'000;
  const auto burst = [&] {
    for (int i = 0; i < kSessions; ++i) {
      MilterClient client = open_session(daemon_->address(), "198.51.100.7");
      ASSERT_EQ(client.mail("<a@example.com>").command, 'c');
      if (i % 7 == 0) {
        reset(client);
        continue;
      }
      ASSERT_EQ(client.rcpt("<b@example.net>").command, 'c');
      if (i % 3 != 0) {
        ASSERT_EQ(client.eom({{"i", "Q"}}).reply.command, 'c');
      }
      if (i % 2 == 0) client.quit();
    }
  };
  burst();
  const std::size_t descriptors = daemon_->descriptors();
  const std::size_t memory = daemon_->resident_kib();
  burst();
  EXPECT_TRUE(descriptors_back_to(descriptors));
#ifdef __SANITIZE_ADDRESS__
  static_cast<void>(memory);  // AddressSanitizer keeps what is freed for a while
#else
  EXPECT_LE(daemon_->resident_kib(), memory + memory / 10);
#endif
  EXPECT_TRUE(wait_until([&] { return daemon_->metric("ipmit_milter_messages_open") <= 0; }));
}

// libmilter alone would try accept() for ever, at full speed.
TEST_F(Robustness, AtTheDescriptorLimitItWaitsQuietlyAndRecovers) {
  start({.settings = {{"fd_reserve", "16"}}, .limits = "ulimit -n 120"});
  std::vector<MilterClient> sessions;
  MilterClient first = open_session(daemon_->address(), "198.51.100.7");
  for (int i = 0; i < 200; ++i) sessions.emplace_back(daemon_->address());
  for (MilterClient& client : sessions) {
    client.wire().send('O', common::negotiation(0x1ff, 0x1fffff));
  }
  ASSERT_TRUE(wait_until([&] { return daemon_->metric("ipmit_milter_accept_paused") == 1; }));
  EXPECT_EQ(daemon_->http("GET", "/readyz").status, 503);
  EXPECT_EQ(daemon_->http("GET", "/livez").status, 200);
  EXPECT_EQ(first.mail("<a@defer.example>").command, 'y') << "open sessions go on";

  const double cpu = daemon_->cpu_seconds();
  const auto start = std::chrono::steady_clock::now();
  wait_until([&] { return std::chrono::steady_clock::now() - start > std::chrono::seconds(2); });
  EXPECT_LT(daemon_->cpu_seconds() - cpu, 0.3);

  sessions.erase(sessions.begin(), sessions.begin() + 150);
  ASSERT_TRUE(wait_until([&] { return daemon_->metric("ipmit_milter_accept_paused") == 0; }));
  expect_service();
  for (MilterClient& client : sessions) {
    EXPECT_EQ(client.read_reply().command, 'O') << "those that waited are served";
  }
  const std::string log = daemon_->log();
  EXPECT_EQ(log.find("accept_paused"), log.rfind("accept_paused")) << "once a minute";
}

}  // namespace
}  // namespace ipmit::test
