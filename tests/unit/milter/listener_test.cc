// SPDX-License-Identifier: Apache-2.0
#include "milter/listener.h"

#include <atomic>
#include <filesystem>
#include <fstream>
#include <thread>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/error.h"
#include "common/milter_wire.h"
#include "tests/support/process.h"

namespace ipmit::milter {
namespace {

using common::parse_listen_address;
using common::WireClient;

constexpr common::Duration kPatience{5'000};

// What libmilter does with the descriptor: -1 if nothing waits there.
int accept_one(const Listener& listener) {
  pollfd waiting{listener.fd(), POLLIN, 0};
  if (poll(&waiting, 1, 0) <= 0) return -1;
  return accept(listener.fd(), nullptr, nullptr);
}

class ListenerTest : public testing::Test {
 protected:
  Listener::Options options(mode_t mode = 0660) {
    return {.address = address(), .mode = mode, .group = {}, .backlog = 8};
  }
  ListenAddress address() { return parse_listen_address("unix:" + path_).value(); }

  test::TempDir directory_{"listener"};
  std::string path_ = (directory_ / "m.sock").string();
};

TEST_F(ListenerTest, IsVisibleOnlyOncePublishedAndThenWithItsMode) {
  Listener listener(options(0620));
  listener.open();
  EXPECT_FALSE(std::filesystem::exists(path_));
  WireClient early;
  EXPECT_TRUE(early.connect(listener.reachable_at(), kPatience));
  listener.publish();
  struct stat info {};
  ASSERT_EQ(stat(path_.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 07777U, 0620U);
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(directory_.path()), {}), 1);
  EXPECT_EQ(listener.path_owner(), Listener::PathOwner::kOurs);
}

TEST_F(ListenerTest, ReplacesAStaleSocketButNothingElse) {
  {
    Listener crashed(options());
    crashed.open();
    crashed.publish();
  }
  EXPECT_TRUE(std::filesystem::is_socket(path_)) << "the path is never unlinked";
  {
    Listener listener(options());
    listener.open();
    listener.publish();
    WireClient client;
    EXPECT_TRUE(client.connect(address(), kPatience));
  }
  std::filesystem::remove(path_);
  std::ofstream(path_) << "precious";
  EXPECT_THROW(Listener{options()}, common::PermanentError);
  EXPECT_EQ(test::read_file(path_), "precious");
  std::filesystem::remove(path_);
  std::filesystem::create_symlink("/dev/null", path_);
  EXPECT_THROW(Listener{options()}, common::PermanentError);
}

TEST_F(ListenerTest, LeavesNoTemporaryNameWhenNeverPublished) {
  {
    Listener listener(options());
    listener.open();
  }
  EXPECT_TRUE(std::filesystem::is_empty(directory_.path()));
}

TEST_F(ListenerTest, SaysWhatIsWrong) {
  auto group = options();
  group.group = "no-such-group";
  EXPECT_THROW(Listener{group}, common::PermanentError);
  path_ = (directory_ / "missing" / "m.sock").string();
  Listener listener(options());
  EXPECT_THROW(listener.open(), common::PermanentError);
}

TEST_F(ListenerTest, WhilePausedConnectionsWaitAndNobodyIsAccepted) {
  Listener listener(options());
  listener.open();
  listener.publish();
  listener.pause();
  listener.pause();
  EXPECT_TRUE(listener.is_paused());
  WireClient client;
  ASSERT_TRUE(client.connect(address(), kPatience));
  EXPECT_EQ(accept_one(listener), -1);
  listener.resume();
  listener.resume();
  EXPECT_FALSE(listener.is_paused());
  const int accepted = accept_one(listener);
  EXPECT_GE(accepted, 0);
  EXPECT_EQ(listener.open_connections(), 1U);
  close(accepted);
  EXPECT_EQ(listener.open_connections(), 0U);
}

// libmilter may sit in poll() on what the descriptor was before; here it would do so for ever.
TEST_F(ListenerTest, ASleepingPollGoesOnWithTheNewSocket) {
  Listener listener(options());
  listener.open();
  listener.publish();
  std::atomic<int> polls{0};
  std::atomic<int> taken{0};
  std::jthread libmilter([&](const std::stop_token& stop) {
    while (!stop.stop_requested()) {
      ++polls;
      pollfd waiting{listener.fd(), POLLIN, 0};
      if (poll(&waiting, 1, -1) <= 0) continue;
      const int accepted = accept(listener.fd(), nullptr, nullptr);
      if (accepted < 0) continue;
      ++taken;
      close(accepted);
    }
  });
  const auto is_served = [&] {
    const int before = taken;
    WireClient client;
    return client.connect(address(), kPatience) && test::wait_until([&] { return taken > before; });
  };
  EXPECT_TRUE(is_served());
  for (int round = 0; round < 3; ++round) {
    listener.pause();
    // A connection makes the thread look again, find nothing, and sleep on the idle socket.
    WireClient waiting;
    ASSERT_TRUE(waiting.connect(address(), kPatience));
    listener.resume();
    EXPECT_TRUE(is_served()) << "round " << round;
    std::filesystem::remove(path_);
    listener.reopen();
    EXPECT_TRUE(is_served()) << "round " << round;
  }
  libmilter.request_stop();
  EXPECT_TRUE(is_served());
}

TEST_F(ListenerTest, StopRefusesNewConnectionsAndLeavesThePath) {
  Listener listener(options());
  listener.open();
  listener.publish();
  listener.stop(0);
  listener.stop(0);
  WireClient client;
  EXPECT_FALSE(client.connect(address(), common::Duration{0}));
  EXPECT_EQ(accept_one(listener), -1);
  EXPECT_TRUE(std::filesystem::is_socket(path_));
  listener.resume();
  EXPECT_EQ(accept_one(listener), -1);
}

TEST_F(ListenerTest, NoticesASuccessorAndARemovedPath) {
  Listener listener(options());
  listener.open();
  listener.publish();
  std::filesystem::remove(path_);
  EXPECT_EQ(listener.path_owner(), Listener::PathOwner::kNobody);
  WireClient before;
  listener.reopen();
  EXPECT_EQ(listener.path_owner(), Listener::PathOwner::kOurs);
  ASSERT_TRUE(before.connect(address(), kPatience));
  const int accepted = accept_one(listener);
  EXPECT_GE(accepted, 0);
  EXPECT_EQ(listener.open_connections(), 1U);
  close(accepted);

  // Another process would have another temporary name; so has another directory.
  Listener::Options other = options();
  other.address.path = (directory_ / "n.sock").string();
  Listener successor(other);
  successor.open();
  successor.publish();
  std::filesystem::rename(other.address.path, path_);
  EXPECT_EQ(listener.path_owner(), Listener::PathOwner::kSuccessor);
}

TEST(ListenerTcp, PicksAPort) {
  Listener listener({.address = parse_listen_address("inet:127.0.0.1:0").value(), .group = {}});
  listener.open();
  listener.publish();
  WireClient client;
  EXPECT_TRUE(client.connect(listener.reachable_at(), kPatience));
  const int accepted = accept_one(listener);
  EXPECT_GE(accepted, 0);
  EXPECT_EQ(listener.open_connections(), 1U);
  close(accepted);
  EXPECT_EQ(listener.path_owner(), Listener::PathOwner::kOurs);
}

}  // namespace
}  // namespace ipmit::milter
