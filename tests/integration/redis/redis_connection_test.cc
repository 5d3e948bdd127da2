// SPDX-License-Identifier: Apache-2.0
#include "schema/redis_connection.h"

#include <chrono>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/error.h"
#include "schema/redis_scripts.h"
#include "tests/support/temp_redis.h"

namespace ipmit::schema {
namespace {

using common::PermanentError;
using common::TransientError;
using test::TempRedis;
using test::TempSentinel;
using test::wait_until;

RedisOptions options(const std::string& url) {
  RedisOptions result;
  result.url = *parse_redis_url(url);
  result.command_deadline = Duration(200);
  result.most_retry = Duration(100);
  return result;
}

template <typename Error, typename Function>
std::string error_of(Function function) {
  try {
    function();
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

TEST(RedisConnection, SpeaksByTcpAndByUnixSocket) {
  const TempRedis redis;
  const std::pair<std::string, int> rows[] = {{redis.url(), 41},
                                              {redis.unix_url(), 82},
                                              {redis.url() + "/3", 41}};  // a database of its own
  for (const auto& [url, want] : rows) {
    RedisConnection connection(options(url));
    EXPECT_EQ(connection.command({"SET", "key", std::string_view("a\0b", 3)}).value().text(), "OK");
    EXPECT_EQ(connection.command({"GET", "key"}).value().text(), std::string_view("a\0b", 3));
    EXPECT_TRUE(connection.command({"GET", "none"}).value().is_nil());
    EXPECT_EQ(connection.command({"INCRBY", "n", "41"}).value().integer(), want);
  }
}

TEST(RedisConnection, PipelinesInOrder) {
  const TempRedis redis;
  RedisConnection connection(options(redis.url()));
  std::vector<std::vector<std::string_view>> commands(5'000, {"INCR", "n"});
  const auto replies = connection.pipeline(commands);
  ASSERT_EQ(replies.size(), commands.size());
  EXPECT_EQ(replies.front().value().integer(), 1);
  EXPECT_EQ(replies.back().value().integer(), 5'000);
  commands = {{"SET", "s", "x"}, {"INCR", "s"}, {"SET", "t", "y"}};
  EXPECT_THAT(error_of<PermanentError>([&] { connection.pipeline(commands); }),
              testing::HasSubstr("INCR: ERR value is not an integer"));
  EXPECT_EQ(connection.command({"GET", "t"}).value().text(), "y") << "still in step";
}

TEST(RedisConnection, RunsScriptsThatTheServerForgot) {
  const TempRedis redis;
  RedisConnection connection(options(redis.url()));
  const std::string_view arguments[] = {"60000000", "1", "1"};
  const std::string_view keys[] = {"ipmit:limit:x"};
  EXPECT_EQ(connection.run(kGcraScript, keys, arguments)[0].integer(), 0);
  redis.cli({"SCRIPT", "FLUSH"});
  EXPECT_EQ(connection.run(kGcraScript, keys, arguments)[0].integer(), 1);
  EXPECT_THAT(redis.cli({"SCRIPT", "EXISTS", std::string(kGcraScript.sha1)}),
              testing::HasSubstr("1"));
}

TEST(RedisConnection, FailsAtOnceWhileTheServerIsDown) {
  TempRedis redis;
  RedisOptions patient = options(redis.url());
  patient.first_retry = patient.most_retry = Duration(60'000);
  RedisConnection connection(patient);
  connection.command({"PING"});
  redis.kill();
  EXPECT_NE(error_of<TransientError>([&] { connection.command({"PING"}); }), "");
  EXPECT_NE(error_of<TransientError>([&] { connection.command({"PING"}); }), "");
  EXPECT_THAT(error_of<TransientError>([&] { connection.command({"PING"}); }),
              testing::HasSubstr("retry not due"));
  redis.start();
  EXPECT_THAT(error_of<TransientError>([&] { connection.command({"PING"}); }),
              testing::HasSubstr("retry not due"));
  connection.connect();
  EXPECT_EQ(connection.command({"PING"}).value().text(), "PONG");
}

TEST(RedisConnection, ComesBackAfterARestart) {
  TempRedis redis;
  RedisConnection connection(options(redis.url()));
  connection.command({"PING"});
  redis.kill();
  redis.start();
  EXPECT_TRUE(wait_until(
      [&] { return error_of<TransientError>([&] { connection.command({"PING"}); }).empty(); }));
}

TEST(RedisConnection, KeepsItsDeadlineWithASilentServer) {
  const TempRedis redis;
  RedisConnection connection(options(redis.url()));
  connection.command({"PING"});
  redis.pause();
  const std::string_view set[] = {"SET", "late", "1"};
  EXPECT_THAT(error_of<TransientError>([&] { connection.command(set, Duration(20)); }),
              testing::HasSubstr("no answer within the deadline"));
  EXPECT_FALSE(connection.is_connected()) << "or a late answer would be taken for the next one";
  redis.resume();
  EXPECT_EQ(connection.command({"ECHO", "next"}).value().text(), "next");
}

TEST(RedisConnection, ReadsTheSamePasswordFileAgain) {
  const TempRedis redis({"--requirepass", "first"});
  const test::TempDir files("password");
  RedisOptions with_file = options(redis.url());
  with_file.password_file = files / "password";
  RedisConnection connection(with_file);
  EXPECT_THAT(error_of<PermanentError>([&] { connection.connect(); }),
              testing::HasSubstr("cannot be read"));
  test::write_file(files / "password", "\n");
  EXPECT_THAT(error_of<PermanentError>([&] { connection.connect(); }),
              testing::HasSubstr("is empty"));
  test::write_file(files / "password", "wrong\n");
  EXPECT_THAT(
      error_of<PermanentError>([&] { connection.connect(); }),
      testing::AllOf(testing::HasSubstr("WRONGPASS"), testing::Not(testing::HasSubstr("wrong\n"))));
  test::write_file(files / "password", "first\r\n");
  connection.connect();
  EXPECT_EQ(connection.command({"PING"}).value().text(), "PONG");

  RedisConnection without(options(redis.url()));
  EXPECT_THAT(error_of<PermanentError>([&] { without.command({"PING"}); }),
              testing::HasSubstr("NOAUTH"));
}

TEST(RedisConnection, IsAnAclUserWithFewRights) {
  const TempRedis redis;
  redis.cli({"ACL", "SETUSER", "milter", "on", ">pw", "~ipmit:*", "+@read"});
  const test::TempDir files("password");
  test::write_file(files / "password", "pw");
  RedisOptions user = options("redis://milter@127.0.0.1:" + std::to_string(redis.port()));
  user.password_file = files / "password";
  user.client_name = "ipmit-milter";  // CLIENT SETNAME is not allowed to it: not needed
  RedisConnection connection(user);
  EXPECT_TRUE(connection.command({"GET", "ipmit:epoch"}).value().is_nil());
  EXPECT_THAT(error_of<PermanentError>([&] {
                connection.command({"SET", "ipmit:epoch", "x"});
              }),
              testing::HasSubstr("NOPERM"));
  EXPECT_TRUE(connection.is_connected());
}

TEST(RedisConnection, FindsTheNewMasterThroughSentinel) {
  TempRedis first;
  const TempRedis second({"--replicaof", "127.0.0.1", std::to_string(first.port()),
                          "--repl-diskless-sync-delay", "0"});
  const TempSentinel sentinel(first);
  ASSERT_TRUE(wait_until([&] { return sentinel.replicas() == 1; }));
  RedisConnection connection(options(sentinel.url()));
  connection.command({"SET", "key", "1"});

  first.kill();
  EXPECT_TRUE(wait_until([&] {
    return error_of<TransientError>([&] { connection.command({"SET", "key", "2"}); }).empty();
  }));
  EXPECT_EQ(second.cli({"GET", "key"}), "2");
  EXPECT_EQ(sentinel.master_port(), second.port());
}

TEST(RedisConnection, LeavesAMasterThatBecameAReplica) {
  const TempRedis first;
  const TempRedis second({"--replicaof", "127.0.0.1", std::to_string(first.port()),
                          "--repl-diskless-sync-delay", "0"});
  const TempSentinel sentinel(first);
  ASSERT_TRUE(wait_until([&] { return sentinel.replicas() == 1; }));
  RedisConnection connection(options(sentinel.url()));
  connection.command({"SET", "key", "1"});
  ASSERT_TRUE(wait_until([&] {
    sentinel.cli({"SENTINEL", "FAILOVER", "ipmit"});
    return sentinel.master_port() == second.port();
  }));
  EXPECT_TRUE(wait_until([&] {
    return error_of<TransientError>([&] {
             connection.command({"SET", "key", "2"});
           }).empty() &&
           second.cli({"GET", "key"}) == "2";
  }));
}

}  // namespace
}  // namespace ipmit::schema
