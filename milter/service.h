// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>

#include "common/metrics.h"
#include "common/snapshot.h"
#include "milter/hit_recorder.h"
#include "milter/limiter.h"
#include "milter/options.h"
#include "milter/rule_feed.h"

namespace ipmit::milter {

// What the service decides by; everything outlives the call of run_service().
struct ServiceParts {
  const common::Snapshot<policy::MitigationSet>& rules;
  const common::Snapshot<SessionOptions>& options;
  Limiter& limiter;
  HitRecorder& hits;
  common::Metrics& metrics;
  std::function<RuleState(TimePoint)> rule_state;
  std::function<void()> reload;         // for each SIGHUP, on the main thread
  std::function<void()> update_gauges;  // before each answer to /metrics
};

// The milter from the first listening to the end of the drain: HTTP endpoint, listener, libmilter,
// self probe, and then the main thread's Supervisor. The socket is shown to Postfix last of all,
// after a self probe through it was answered. block_service_signals() comes before any thread.
//
// Returns when every session has ended. If the grace ends first, the sessions still open are cut by
// ending the process here, with status 0: libmilter's threads are at work in them, so that nothing
// can be taken down in order. Throws PermanentError when it cannot start; then nothing was shown to
// Postfix, and the caller must end by _exit(). Once in a process.
void run_service(const ServiceOptions& options, const ServiceParts& parts);

}  // namespace ipmit::milter
