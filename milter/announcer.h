// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <thread>

#include "milter/rule_feed.h"
#include "schema/redis_connection.h"

namespace ipmit::milter {

// Tells Redis that this milter is alive and which revision it enforces: soon after each change of
// the rules, and every `every` besides; takes it back when destroyed. A thread of its own; failures
// are logged once and tried again.
class Announcer {
 public:
  struct Options {
    schema::RedisOptions redis;
    std::string host;
    std::string version;
    Duration every{2'000};
    Duration lifetime{10'000};  // without a sign; then the others count it as gone
  };
  // `feed` outlives this. `on_count` is called on the thread with the number of live milters.
  Announcer(Options options, const RuleFeed& feed, std::function<void(std::uint32_t)> on_count);
  ~Announcer();

  const std::string& id() const { return id_; }

 private:
  void run(const std::stop_token& stop);
  void announce();

  const Options options_;
  const RuleFeed& feed_;
  const std::function<void(std::uint32_t)> on_count_;
  const std::string id_;
  const TimePoint since_;
  schema::RedisConnection connection_;  // of the thread
  bool failing_ = false;                // of the thread
  std::jthread thread_;
};

}  // namespace ipmit::milter
