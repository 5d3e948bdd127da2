// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "common/metrics.h"
#include "policy/decide.h"

namespace ipmit::milter {

// How a message ended, seen from here. Each MAIL command that was answered ends as exactly one of
// these, so started = open + the sum of all (docs/metrics.md).
enum class Outcome : std::uint8_t {
  kAccepted,     // no rule acted
  kExempt,       // an exemption let it pass
  kReentry,      // came on a re-entry port: not decided
  kThrottled,    // refused at MAIL or end of message
  kDeferred,     // "
  kRejected,     // "
  kQuarantined,  // accepted with a route to the hold queue
  kRerouted,     // accepted with another transport
  kDiscarded,    // accepted to be thrown away
  kFallback,     // refused because there were no rules, or stale ones
  kAborted,      // ended by client or Postfix before end of message
  kFailed,       // an error of ours; Postfix was told to go on
};
inline constexpr std::size_t kOutcomes = 12;
Outcome to_outcome(policy::Action action);  // of a message that it was done to

enum class RecipientOutcome : std::uint8_t {
  kAccepted,
  kThrottled,
  kDeferred,
  kRejected,
  kFallback,
  kRefusedByMta,  // Postfix had refused it already; only counted
};
inline constexpr std::size_t kRecipientOutcomes = 6;
RecipientOutcome to_recipient_outcome(Outcome refusal);

// Every metric of the mail path, looked up once. Thread-safe.
class MilterMetrics {
 public:
  explicit MilterMetrics(common::Metrics& metrics);

  void count(Outcome outcome) const;
  void count(RecipientOutcome outcome) const;
  // A rule that matched: enforced, or only reported (`observed`: DryRun and Observe).
  void count_rule(policy::Action action, bool observed) const;

  common::Metrics::Counter messages_started;
  common::Metrics::Level messages_open;
  common::Metrics::Counter connections;
  common::Metrics::Level sessions_open;
  common::Metrics::Counter clients_unknown;
  common::Metrics::Counter clients_never_match;
  common::Metrics::Counter macros_missing;
  common::Metrics::Counter reroutes_refused;
  common::Metrics::Counter edits_failed;
  common::Metrics::Counter replies_failed;
  common::Metrics::Counter fallback_used;
  common::Metrics::Counter internal_errors;
  common::Metrics::Counter limiter_refunds;
  common::Metrics::Histogram callback_seconds;

 private:
  static constexpr std::size_t kActions = 7;
  std::array<common::Metrics::Counter, kOutcomes> outcomes_;
  std::array<common::Metrics::Counter, kRecipientOutcomes> recipients_;
  std::array<common::Metrics::Counter, kActions> enforced_;
  std::array<common::Metrics::Counter, kActions> observed_;
};

}  // namespace ipmit::milter
