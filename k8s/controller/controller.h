// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <stop_token>

#include "common/clock.h"
#include "common/metrics.h"
#include "k8s/controller/projection.h"
#include "schema/leader_lock.h"
#include "schema/redis_hits.h"
#include "schema/redis_publisher.h"
#include "schema/store.h"

namespace ipmit::controller {

// The life of ipmit-controller: stand by until the leader lock is ours, then keep the cache equal
// to the record until the lock, the store or the process ends. run() is the one place that catches
// the environment's errors. Everything a leader does may be done twice, so two that lead for a
// moment (a cut connection that the server has not noticed) do no harm: each batch to the cache is
// atomic and says which revision it follows on.
class Controller {
 public:
  struct Options {
    Duration tick{500};            // longest wait for a change before the cache is looked at
    Duration standby_every{500};   // how often a standby tries the lock
    Duration verify_every{3'000};  // between two comparisons of every field …
    unsigned verify_share = 10;    // … but at most one part in this many of the leader's time
    Duration fold_every{5'000};    // hit counters from the cache to the record
    Duration first_retry{100}, most_retry{2'000};  // after the store failed
    std::function<void(TimePoint)> upkeep{};       // of the record, once a tick of the leader
  };
  using OpenStore = std::function<std::unique_ptr<schema::Store>()>;

  Controller(const Options& options, OpenStore open_store, schema::LeaderLock& lock,
             schema::RedisPublisher& publisher, schema::RedisHits& hits, common::Metrics& metrics);

  // Returns when `stop` is asked. Throws PermanentError (no rights, newer schema): restarting with
  // other settings is all that helps.
  void run(const std::stop_token& stop);

  bool is_leading() const { return leading_.load(); }  // thread-safe
  // The store answered within kPatience, leading or not. Thread-safe.
  bool is_ready() const;
  static constexpr Duration kPatience{30'000};  // a full comparison of a million rules fits
  std::uint64_t revision() const { return revision_.load(); }  // in the cache, as the leader knows
  const LastError& last_error() const { return last_error_; }

 private:
  void stand_by(const std::stop_token& stop);
  void lead(const std::stop_token& stop);
  void verify_if_due(Projection& projection);
  void expire(schema::Store& store, TimePoint now);
  void fold_hits(schema::Store& store);
  void set_leading(bool leading);

  const Options options_;
  const OpenStore open_store_;
  schema::LeaderLock& lock_;
  schema::RedisPublisher& publisher_;
  schema::RedisHits& hits_;
  common::Metrics& metrics_;

  std::chrono::steady_clock::time_point verify_at_{};
  std::chrono::steady_clock::time_point fold_at_{};
  std::atomic<bool> leading_{false};
  using SteadyPoint = std::chrono::steady_clock::time_point;
  std::atomic<SteadyPoint> answered_at_{SteadyPoint{}};  // zero: not, when last asked
  std::atomic<std::uint64_t> revision_{0};
  LastError last_error_;

  common::Metrics::Gauge leader_gauge_;
  common::Metrics::Counter store_errors_, expired_, hits_folded_;
};

}  // namespace ipmit::controller
