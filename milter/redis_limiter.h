// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "common/metrics.h"
#include "milter/limiter.h"
#include "schema/redis_connection.h"

namespace ipmit::milter {

// Budgets that all milters share, kept in Redis by its own clock (schema/gcra.lua): one round trip
// a call, with a deadline. A call that fails is answered by a LocalLimiter with this milter's part
// of the limit. After some failures in a row, or when a thread of its own, which the first failure
// wakes, gets no answer in time either, the breaker is open: all calls are answered so, at once,
// while that thread reconnects and closes the breaker when Redis answers within the deadline again.
// No mail waits for a connect, and nothing is sent a second time; a charge whose
// answer came too late may have been taken in vain.
//
// Thread-safe; a call holds one of `connections` for its round trip, or waits for one within the
// deadline. Constructed with the breaker open, so it never blocks at the start.
class RedisLimiter : public Limiter {
 public:
  struct Options {
    schema::RedisOptions redis;  // its command deadline and master check are set from here
    Duration deadline{20};       // for a charge, waiting for a connection included
    std::size_t connections = 16;
    std::uint32_t breaker_failures = 5;  // in a row; at most `connections`
    Duration probe_every{1'000};         // while the breaker is open
    Duration check_every{1'000};         // that the server is still the master
    std::size_t most_local_keys = 1'000'000;
  };
  // `metrics` outlives the limiter.
  RedisLimiter(Options options, common::Metrics& metrics);
  ~RedisLimiter() override;

  Result charge(std::span<const policy::Charge> charges, TimePoint now) override;
  void refund(std::span<const policy::Charge> charges, TimePoint now) override;

  // How many milters are alive, this one included: the divisor of the limits while Redis is away.
  void set_live_milters(std::uint32_t count) { local_.set_share(count); }

  bool is_shared() const { return !open_; }  // the breaker is closed

 private:
  using Connection = std::unique_ptr<schema::RedisConnection>;
  class Lease;
  struct Meters;

  std::optional<Result> ask(const schema::RedisScript& script,
                            std::span<const policy::Charge> charges);
  void note_failure(const std::string& reason);
  void break_off(const std::string& reason);
  void run(const std::stop_token& stop);
  void probe();
  bool repair(schema::RedisConnection& connection);

  const Options options_;
  const std::unique_ptr<Meters> meters_;
  LocalLimiter local_;
  std::atomic<bool> open_{true};
  std::atomic<std::uint32_t> failures_{0};  // in a row
  std::atomic<bool> in_doubt_{false};       // a call failed, and the prober has not looked yet

  std::mutex mutex_;
  std::condition_variable_any changed_;
  std::vector<Connection> idle_;    // guarded by mutex_; connected when they were put here
  std::vector<Connection> broken_;  // guarded by mutex_

  std::jthread prober_;
};

}  // namespace ipmit::milter
