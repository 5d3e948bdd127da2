// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>

#include "common/metrics.h"
#include "conf/settings.h"
#include "milter/announcer.h"
#include "milter/hit_recorder.h"
#include "milter/limiter.h"
#include "milter/rule_feed.h"

namespace ipmit::milter {

// The rules, limits and hit counts of a milter, wired as the settings say: to the SQLite store on
// one host, to Redis where there is a `cache`. Construct, start(), use from any thread; the
// destructor stops the threads, the limiter last.
class DecisionState {
 public:
  // Connects to nothing. PermanentError, naming the setting, for a cache URL that cannot be spoken
  // or a PostgreSQL store without a cache. `metrics` outlives this.
  DecisionState(const conf::Settings& settings, common::Metrics& metrics);
  ~DecisionState();

  // See RuleFeed::start(); in a cluster the milter announces itself from now on.
  void start();

  RuleFeed& feed() { return *feed_; }
  Limiter& limiter() { return *limiter_; }
  // For a HitRecorder; made for its thread alone. Must not outlive this.
  HitRecorder::Sink hit_sink();

 private:
  const conf::Settings settings_;
  std::unique_ptr<Limiter> limiter_;
  std::unique_ptr<RuleFeed> feed_;
  std::function<std::unique_ptr<Announcer>()> announce_;  // unset: no cluster
  std::unique_ptr<Announcer> announcer_;
};

}  // namespace ipmit::milter
