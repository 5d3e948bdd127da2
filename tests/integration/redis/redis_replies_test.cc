// SPDX-License-Identifier: Apache-2.0
// What RedisConnection makes of the errors that real servers answer, of passwords that change, and
// of Sentinels of which some are gone.
#include <memory>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/error.h"
#include "schema/redis_connection.h"
#include "tests/support/temp_redis.h"

namespace ipmit::schema {
namespace {

using common::PermanentError;
using common::TransientError;
using test::TempRedis;
using test::TempSentinel;
using test::wait_until;
using testing::HasSubstr;

RedisOptions options(const std::string& url) {
  RedisOptions result;
  result.url = *parse_redis_url(url);
  result.command_deadline = Duration(5'000);
  result.first_retry = result.most_retry = Duration(1);
  return result;
}

// "" where it goes well, else "transient: …" or "permanent: …".
std::string outcome(RedisConnection& connection, std::initializer_list<std::string_view> words) {
  try {
    connection.command(words);
    return "";
  } catch (const TransientError& error) {
    return std::string("transient: ") + error.what();
  } catch (const PermanentError& error) {
    return std::string("permanent: ") + error.what();
  }
}

void expect_transient(const std::string& outcome, std::string_view code) {
  EXPECT_THAT(outcome, testing::StartsWith("transient: "));
  EXPECT_THAT(outcome, HasSubstr(": " + std::string(code) + " "));
}

TEST(RedisReplies, ReadOnlyReplicaIsLeft) {
  const TempRedis replica({"--replicaof", "127.0.0.1", "1"});
  RedisConnection connection(options(replica.url()));
  expect_transient(outcome(connection, {"SET", "key", "1"}), "READONLY");
  EXPECT_FALSE(connection.is_connected()) << "the next call looks for the master again";
  replica.cli({"REPLICAOF", "NO", "ONE"});
  EXPECT_TRUE(wait_until([&] { return outcome(connection, {"SET", "key", "1"}).empty(); }));
}

TEST(RedisReplies, ReplicaWithoutItsMasterIsLeft) {
  const TempRedis replica({"--replicaof", "127.0.0.1", "1", "--replica-serve-stale-data", "no"});
  RedisConnection connection(options(replica.url()));
  expect_transient(outcome(connection, {"GET", "key"}), "MASTERDOWN");
  EXPECT_FALSE(connection.is_connected());
}

TEST(RedisReplies, BlockedReaderIsLeftWhenItsServerBecomesAReplica) {
  const TempRedis redis;
  RedisConnection connection(options(redis.url()));
  std::string got;
  {
    std::jthread reader([&] {
      got = outcome(connection, {"XREAD", "BLOCK", "0", "STREAMS", "ipmit:changes", "$"});
    });
    ASSERT_TRUE(wait_until([&] {
      return redis.cli({"INFO", "clients"}).find("blocked_clients:1") != std::string::npos;
    }));
    redis.cli({"REPLICAOF", "127.0.0.1", "1"});
  }
  expect_transient(got, "UNBLOCKED");
  EXPECT_FALSE(connection.is_connected());
}

TEST(RedisReplies, LoadingPasses) {
  TempRedis redis({"--key-load-delay", "1000", "--loading-process-events-interval-bytes", "1024"});
  redis.cli({"EVAL", "for i = 1, 2000 do redis.call('SET', i, string.rep('x', 100)) end", "0"});
  redis.cli({"SET", "last", "here"});
  redis.save();
  redis.kill();
  redis.start();
  RedisConnection connection(options(redis.url()));
  expect_transient(outcome(connection, {"GET", "last"}), "LOADING");
  EXPECT_TRUE(connection.is_connected()) << "it is the right server";
  EXPECT_TRUE(wait_until([&] { return outcome(connection, {"GET", "last"}).empty(); }));
  EXPECT_EQ(connection.command({"GET", "last"}).value().text(), "here");
}

// Not supported, but it must not look like an empty Redis or a mistake of ours.
TEST(RedisReplies, ClusterAnswersAreTransient) {
  // By itself the bus would take the other port plus 10 000, free or not.
  const std::string asked_bus = std::to_string(test::free_port());
  const std::string owner_bus = std::to_string(test::free_port());
  const TempRedis asked({"--cluster-enabled", "yes", "--cluster-port", asked_bus});
  const TempRedis owner({"--cluster-enabled", "yes", "--cluster-port", owner_bus});
  RedisConnection connection(options(asked.url()));
  expect_transient(outcome(connection, {"GET", "key"}), "CLUSTERDOWN");
  owner.cli({"CLUSTER", "ADDSLOTSRANGE", "0", "16383"});
  asked.cli({"CLUSTER", "MEET", "127.0.0.1", std::to_string(owner.port()), owner_bus});
  std::string got;
  EXPECT_TRUE(wait_until([&] {
    got = outcome(connection, {"GET", "key"});
    return got.find("MOVED") != std::string::npos;
  })) << got;
  expect_transient(got, "MOVED");
  EXPECT_FALSE(connection.is_connected());
}

struct LimitRow {
  const char* setting;
  const char* value;
  const char* code;
  const char* cure;
};

const LimitRow kLimits[] = {
    {"maxmemory", "1", "OOM", "0"},
    {"min-replicas-to-write", "1", "NOREPLICAS", "0"},
};

TEST(RedisReplies, AServerAtItsLimitsIsTriedAgain) {
  const TempRedis redis;
  RedisConnection connection(options(redis.url()));
  for (const LimitRow& row : kLimits) {
    redis.cli({"CONFIG", "SET", row.setting, row.value});
    expect_transient(outcome(connection, {"SET", "key", "1"}), row.code);
    EXPECT_TRUE(connection.is_connected()) << row.code;
    redis.cli({"CONFIG", "SET", row.setting, row.cure});
    EXPECT_EQ(outcome(connection, {"SET", "key", "1"}), "") << row.code;
  }
}

TEST(RedisReplies, ScriptThatRunsForTooLongIsTriedAgain) {
  const TempRedis redis({"--busy-reply-threshold", "1"});
  RedisConnection connection(options(redis.url()));
  connection.connect();
  std::jthread endless([&] { redis.cli({"EVAL", "while true do end", "0"}); });
  std::string got;
  EXPECT_TRUE(wait_until([&] {
    got = outcome(connection, {"GET", "key"});
    return !got.empty();
  }));
  expect_transient(got, "BUSY");
  redis.cli({"SCRIPT", "KILL"});
  EXPECT_TRUE(wait_until([&] { return outcome(connection, {"GET", "key"}).empty(); }));
}

TEST(RedisReplies, NothingIsSentTwice) {
  const TempRedis redis;
  RedisOptions hasty = options(redis.url());
  hasty.command_deadline = Duration(50);
  RedisConnection connection(hasty);
  connection.command({"SET", "n", "0"});
  redis.pause();
  EXPECT_THAT(outcome(connection, {"INCR", "n"}), HasSubstr("no answer within the deadline"));
  redis.resume();
  EXPECT_TRUE(wait_until([&] { return redis.cli({"GET", "n"}) == "1"; })) << "what was on its way";
  connection.command({"PING"});
  EXPECT_EQ(redis.cli({"GET", "n"}), "1");
}

// A server whose password changes keeps its sessions; the next one needs the new password, which is
// in the file by then.
TEST(RedisReplies, ChangedPasswordIsReadByTheNextConnect) {
  const TempRedis redis;
  const test::TempDir files("password");
  redis.cli({"ACL", "SETUSER", "milter", "on", ">first", "~*", "+@all"});
  test::write_file(files / "password", "first\n");
  RedisOptions user = options("redis://milter@127.0.0.1:" + std::to_string(redis.port()));
  user.password_file = files / "password";
  RedisConnection connection(user);
  EXPECT_EQ(outcome(connection, {"PING"}), "");

  redis.cli({"ACL", "SETUSER", "milter", "resetpass", ">second"});
  redis.cli({"CLIENT", "KILL", "USER", "milter"});
  EXPECT_THAT(outcome(connection, {"PING"}), testing::StartsWith("transient: ")) << "cut off";
  EXPECT_TRUE(wait_until(
      [&] { return outcome(connection, {"PING"}).find("WRONGPASS") != std::string::npos; }));
  test::write_file(files / "password", "second\n");
  EXPECT_TRUE(wait_until([&] { return outcome(connection, {"PING"}).empty(); }));
}

TEST(RedisReplies, AnySentinelThatAnswersWillDo) {
  const TempRedis redis;
  const TempSentinel sentinel(redis);
  const std::string alive = sentinel.url().substr(std::string("redis+sentinel://").size());
  RedisConnection connection(options("redis+sentinel://127.0.0.1:1," + alive));
  connection.command({"SET", "key", "1"});
  EXPECT_EQ(redis.cli({"GET", "key"}), "1");

  const std::string other = alive.substr(0, alive.find('/')) + "/another";
  RedisConnection lost(options("redis+sentinel://127.0.0.1:1," + other));
  const std::string got = outcome(lost, {"PING"});
  EXPECT_THAT(got, testing::StartsWith("transient: redis: no Sentinel named a master"));
  EXPECT_THAT(got, HasSubstr("knows no master another")) << "and why each of them did not";
  EXPECT_THAT(got, HasSubstr("127.0.0.1:1: "));
}

// Sentinels that are gone do not cost a connection that works.
TEST(RedisReplies, KeepsItsMasterWithoutSentinels) {
  const TempRedis redis;
  auto sentinel = std::make_unique<TempSentinel>(redis);
  RedisOptions often = options(sentinel->url());
  often.master_check = Duration(1);
  RedisConnection connection(often);
  connection.command({"SET", "key", "1"});
  sentinel.reset();
  for (int i = 0; i < 100; ++i) EXPECT_EQ(outcome(connection, {"SET", "key", "2"}), "");
  EXPECT_TRUE(connection.is_connected());
}

}  // namespace
}  // namespace ipmit::schema
