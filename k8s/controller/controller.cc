// SPDX-License-Identifier: Apache-2.0
#include "k8s/controller/controller.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "common/backoff.h"
#include "common/error.h"
#include "common/log.h"
#include "common/stoppable_wait.h"

namespace ipmit::controller {
namespace {

using common::log_event;
using common::LogLevel;
using Steady = std::chrono::steady_clock;

constexpr std::size_t kMostExpired = 1'000;  // a round; the rest comes with the next tick

}  // namespace

Controller::Controller(const Options& options, OpenStore open_store, schema::LeaderLock& lock,
                       schema::RedisPublisher& publisher, schema::RedisHits& hits,
                       common::Metrics& metrics)
    : options_(options),
      open_store_(std::move(open_store)),
      lock_(lock),
      publisher_(publisher),
      hits_(hits),
      metrics_(metrics),
      leader_gauge_(metrics.gauge("ipmit_controller_leader", "1 on the controller that leads.")),
      store_errors_(metrics.counter("ipmit_controller_store_errors_total",
                                    "Times the store failed and was tried again.")),
      expired_(metrics.counter("ipmit_controller_expired_total",
                               "Mitigations and exemptions removed at their end.")),
      hits_folded_(metrics.counter("ipmit_controller_hits_folded_total",
                                   "Hits moved from the cache to the store.")) {}

void Controller::run(const std::stop_token& stop) {
  common::Backoff backoff(options_.first_retry, options_.most_retry);
  bool failing = false;
  while (!stop.stop_requested()) {
    try {
      if (lock_.try_acquire()) {
        lead(stop);
      } else {
        stand_by(stop);
      }
      backoff.reset();
      if (std::exchange(failing, false)) log_event(LogLevel::kInfo, "store_back", {});
    } catch (const common::TransientError& error) {
      set_leading(false);
      answered_at_ = SteadyPoint{};
      store_errors_.add();
      last_error_.note(error.what());
      if (!std::exchange(failing, true)) {
        log_event(LogLevel::kWarn, "store_failed", {{"reason", error.what()}});
      }
      common::wait_unless_stopped(backoff.next(), stop);
    }
  }
  set_leading(false);
  lock_.release();
}

void Controller::stand_by(const std::stop_token& stop) {
  answered_at_ = Steady::now();
  common::wait_unless_stopped(options_.standby_every, stop);
}

void Controller::lead(const std::stop_token& stop) {
  const std::unique_ptr<schema::Store> store = open_store_();
  Projection projection(*store, publisher_, last_error_, metrics_);
  set_leading(true);
  verify_at_ = fold_at_ = Steady::now();
  for (;;) {
    lock_.check();
    answered_at_ = Steady::now();
    const TimePoint now = common::now();
    expire(*store, now);
    if (options_.upkeep) options_.upkeep(now);
    if (projection.follow(now)) {
      revision_ = projection.revision();
      verify_if_due(projection);
      fold_hits(*store);
    }
    if (stop.stop_requested()) return;
    store->wait_for_change(options_.tick, stop);
  }
}

// Comparing every field of a million rules takes seconds: the pause grows with the work.
void Controller::verify_if_due(Projection& projection) {
  const auto start = Steady::now();
  if (start < verify_at_) return;
  projection.verify(common::now());
  const auto took = Steady::now() - start;
  verify_at_ =
      start + std::max<Steady::duration>(options_.verify_every, took * options_.verify_share);
}

void Controller::expire(schema::Store& store, TimePoint now) {
  const std::size_t ended = store.expire(now, kMostExpired);
  if (ended == 0) return;
  expired_.add(static_cast<double>(ended));
  log_event(LogLevel::kInfo, "mitigations_expired", {{"count", ended}});
}

// The cache's errors are Projection's to report; hits wait there for the next time. Whatever fails
// or ends in between is repeated, and the store adds a batch it has had no second time.
void Controller::fold_hits(schema::Store& store) {
  if (Steady::now() < fold_at_) return;
  fold_at_ = Steady::now() + options_.fold_every;
  schema::RedisHits::Batch taken;
  try {
    taken = hits_.take();
  } catch (const common::TransientError& error) {
    log_event(LogLevel::kDebug, "hits_wait", {{"reason", error.what()}});
    return;
  }
  if (taken.hits.empty()) return;
  if (store.add_hits(taken.hits, taken.name))
    hits_folded_.add(static_cast<double>(taken.hits.size()));
  try {
    hits_.forget(taken.name);
  } catch (const common::TransientError& error) {
    log_event(LogLevel::kDebug, "hits_wait", {{"reason", error.what()}});
  }
}

bool Controller::is_ready() const {
  const SteadyPoint at = answered_at_;
  return at != SteadyPoint{} && Steady::now() - at < kPatience;
}

void Controller::set_leading(bool leading) {
  leader_gauge_.set(leading ? 1 : 0);
  if (leading_.exchange(leading) == leading) return;
  log_event(LogLevel::kInfo, leading ? "leading" : "not_leading", {});
}

}  // namespace ipmit::controller
