// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <initializer_list>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/backoff.h"
#include "common/clock.h"
#include "schema/redis_url.h"

struct redisReply;
struct redisContext;

namespace ipmit::schema {

using common::Duration;

// One value of a reply; a view into a RedisReply that outlives it.
class RedisValue {
 public:
  explicit RedisValue(const redisReply* reply) : reply_(reply) {}

  bool is_nil() const;
  bool is_array() const;
  bool is_error() const;          // only inside RedisConnection: it throws them
  std::string_view text() const;  // a string or status; empty for all else
  std::int64_t integer() const;   // an integer, or a string of digits; 0 for all else
  std::size_t size() const;       // elements of an array; 0 for all else
  RedisValue operator[](std::size_t i) const;

 private:
  const redisReply* reply_;
};

class RedisReply {
 public:
  explicit RedisReply(void* reply) : reply_(static_cast<redisReply*>(reply)) {}
  RedisValue value() const { return RedisValue(reply_.get()); }
  RedisValue operator[](std::size_t i) const { return value()[i]; }

 private:
  struct Free {
    void operator()(redisReply* reply) const;
  };
  std::unique_ptr<redisReply, Free> reply_;
};

// A script of schema/*.lua with the SHA-1 that EVALSHA wants.
struct RedisScript {
  std::string_view text;
  std::string_view sha1;
};

struct RedisOptions {
  RedisUrl url;
  std::string client_name;              // CLIENT SETNAME, for CLIENT LIST
  std::filesystem::path password_file;  // one line; empty: no password. Read at each connect.
  Duration connect_deadline{500};       // for each server tried
  Duration command_deadline{1'000};
  Duration master_check{1'000};  // how often the Sentinels are asked again; 0: by the caller
  Duration first_retry{50};      // after a failed connect; grows to most_retry
  Duration most_retry{1'000};
};

// A connection to the Redis master, and the only code that speaks to hiredis. Connects when first
// used and again after a failure, by Sentinel where the URL says so; while the last connect failed
// and its retry is not due, every call fails at once (the circuit breaker). Nothing is queued and
// nothing is sent twice: after a TransientError the command may or may not have been done, so all
// commands here can be repeated.
//
// TransientError: not reachable, deadline passed, and the replies LOADING, READONLY, MASTERDOWN,
// MOVED, TRYAGAIN, CLUSTERDOWN, UNBLOCKED, BUSY, OOM, MISCONF. READONLY, MASTERDOWN, MOVED and
// UNBLOCKED close the connection, so the next call asks the Sentinels again. PermanentError: every
// other error reply, wrong passwords among them. One thread at a time. Resolving host names may
// block beyond the deadline.
class RedisConnection {
 public:
  explicit RedisConnection(RedisOptions options);
  ~RedisConnection();
  RedisConnection(const RedisConnection&) = delete;
  RedisConnection& operator=(const RedisConnection&) = delete;

  using Words = std::span<const std::string_view>;
  RedisReply command(Words words);
  RedisReply command(std::initializer_list<std::string_view> words) {
    return command(Words(words.begin(), words.size()));
  }
  // With a deadline of its own: blocking reads, and the mail path.
  RedisReply command(Words words, Duration deadline);

  // Sends all, then reads all; the deadline is for each reply. An error reply throws after the rest
  // was read.
  using Commands = std::span<const std::vector<std::string_view>>;
  std::vector<RedisReply> pipeline(Commands commands);
  // The same, giving each reply to `take` as it comes: for many records, of which one at a time is
  // enough memory. Error replies are not given.
  using TakeReply = std::function<void(std::size_t, RedisReply)>;
  void pipeline(Commands commands, const TakeReply& take);

  // A pipeline in two halves, so that the server works on what comes next while replies are read.
  // Each command that was sent has to be received, in order, before any other call.
  void send_ahead(Commands commands);
  void receive_sent(std::size_t count, const TakeReply& take);

  // EVALSHA, and EVAL once where the server does not know the script.
  RedisReply run(const RedisScript& script, Words keys, Words arguments);
  RedisReply run(const RedisScript& script, Words keys, Words arguments, Duration deadline);

  // Connects if it is not connected, whatever the breaker says.
  void connect();
  bool is_connected() const { return context_ != nullptr; }
  void close();

  // Sentinel only: asks which server is the master, and closes a connection to any other. After a
  // failover the old master may take writes for many seconds that nobody will see. Costs a
  // connection to a Sentinel. While no Sentinel answers, the connection stays.
  void check_master();

  const RedisOptions& options() const { return options_; }

 private:
  struct FreeContext {
    void operator()(redisContext* context) const;
  };
  using Context = std::unique_ptr<redisContext, FreeContext>;
  using Clock = std::chrono::steady_clock;

  Context open(const RedisUrl::Host& host) const;
  Context open_server();
  RedisUrl::Host ask_sentinels();
  void authenticate();
  void require_connection();
  void send(Words words);
  void flush();
  RedisReply receive(Clock::time_point deadline);
  struct ErrorReply {
    std::size_t index;
    std::string text;
  };
  std::optional<ErrorReply> receive_all(std::size_t count, const TakeReply& take);
  RedisReply exchange(Words words, Duration deadline);
  [[noreturn]] void fail(const std::string& reason);
  [[noreturn]] void throw_error(std::string_view error, std::string_view command);
  void throw_if_error(const RedisReply& reply, std::string_view command);

  friend class RedisReply;
  struct ReplyMemory;
  static void release(redisReply* reply);

  const RedisOptions options_;
  const std::unique_ptr<ReplyMemory> memory_;  // outlives context_
  Context context_;
  std::string peer_;  // for messages
  RedisUrl::Host master_;
  std::size_t next_sentinel_ = 0;
  common::Backoff backoff_;
  Clock::time_point retry_at_{};
  Clock::time_point master_checked_at_{};
  std::string last_failure_;
};

}  // namespace ipmit::schema
