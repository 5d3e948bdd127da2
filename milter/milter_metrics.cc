// SPDX-License-Identifier: Apache-2.0
#include "milter/milter_metrics.h"

#include <string_view>
#include <utility>

namespace ipmit::milter {
namespace {

constexpr std::array<std::string_view, kOutcomes> kOutcomeNames{
    "accepted",    "exempt",   "reentry",   "throttled", "deferred", "rejected",
    "quarantined", "rerouted", "discarded", "fallback",  "aborted",  "failed"};
constexpr std::array<std::string_view, kRecipientOutcomes> kRecipientNames{
    "accepted", "throttled", "deferred", "rejected", "fallback", "refused_by_mta"};

template <std::size_t... I>
auto make_outcomes(common::Metrics& metrics, std::index_sequence<I...>) {
  return std::array{metrics.counter("ipmit_milter_messages_total",
                                    "Messages that have ended, by how they ended.",
                                    {{"outcome", kOutcomeNames[I]}})...};
}
template <std::size_t... I>
auto make_recipients(common::Metrics& metrics, std::index_sequence<I...>) {
  return std::array{metrics.counter("ipmit_milter_recipients_total",
                                    "Recipients asked about, by the answer.",
                                    {{"outcome", kRecipientNames[I]}})...};
}
template <std::size_t... I>
auto make_rules(common::Metrics& metrics, std::string_view mode, std::index_sequence<I...>) {
  return std::array{metrics.counter(
      "ipmit_milter_rule_matches_total",
      "Rules that acted on a message or, observed, only would have.",
      {{"action", policy::to_string(static_cast<policy::Action>(I))}, {"mode", mode}})...};
}

}  // namespace

MilterMetrics::MilterMetrics(common::Metrics& metrics)
    : messages_started(
          metrics.counter("ipmit_milter_messages_started_total", "MAIL commands answered.")),
      messages_open(
          metrics.level("ipmit_milter_messages_open", "Messages between MAIL and their end.")),
      connections(metrics.counter("ipmit_milter_connections_total",
                                  "SMTP sessions shown to us, self probes not counted.")),
      sessions_open(metrics.level("ipmit_milter_sessions_open", "Sessions of Postfix now open.")),
      clients_unknown(metrics.counter("ipmit_milter_clients_unknown_total",
                                      "Sessions without a client address.")),
      clients_never_match(metrics.counter(
          "ipmit_milter_clients_never_match_total",
          "Sessions whose client address is in never_match_networks, loopback not counted.")),
      macros_missing(metrics.counter("ipmit_milter_macros_missing_total",
                                     "Messages that ended without a queue id from Postfix.")),
      reroutes_refused(metrics.counter("ipmit_milter_reroutes_refused_total",
                                       "Reroute rules that named a transport not listed.")),
      edits_failed(metrics.counter("ipmit_milter_edits_failed_total",
                                   "Header changes that could not be sent to Postfix.")),
      replies_failed(metrics.counter("ipmit_milter_replies_failed_total",
                                     "Replies that libmilter refused to send as written.")),
      fallback_used(metrics.counter("ipmit_milter_fallback_total",
                                    "Decisions taken without rules or with stale ones.")),
      internal_errors(metrics.counter("ipmit_milter_internal_errors_total",
                                      "Errors of ours caught on the mail path.")),
      limiter_refunds(metrics.counter("ipmit_milter_limiter_refunds_total",
                                      "Messages whose reserved quota was given back.")),
      callback_seconds(metrics.histogram(
          "ipmit_milter_callback_seconds", "Time to decide, per MAIL, RCPT or end of message.",
          {0.00001, 0.00005, 0.0001, 0.0005, 0.001, 0.005, 0.025, 0.1, 1})),
      outcomes_(make_outcomes(metrics, std::make_index_sequence<kOutcomes>())),
      recipients_(make_recipients(metrics, std::make_index_sequence<kRecipientOutcomes>())),
      enforced_(make_rules(metrics, "enforced", std::make_index_sequence<kActions>())),
      observed_(make_rules(metrics, "observed", std::make_index_sequence<kActions>())) {}

void MilterMetrics::count(Outcome outcome) const {
  outcomes_[static_cast<std::size_t>(outcome)].add();
}
void MilterMetrics::count(RecipientOutcome outcome) const {
  recipients_[static_cast<std::size_t>(outcome)].add();
}
void MilterMetrics::count_rule(policy::Action action, bool observed) const {
  const auto index = static_cast<std::size_t>(action);
  (observed ? observed_ : enforced_)[index].add();
}

Outcome to_outcome(policy::Action action) {
  switch (action) {
    case policy::Action::kThrottle:
      return Outcome::kThrottled;
    case policy::Action::kDefer:
      return Outcome::kDeferred;
    case policy::Action::kReject:
      return Outcome::kRejected;
    case policy::Action::kQuarantine:
      return Outcome::kQuarantined;
    case policy::Action::kReroute:
      return Outcome::kRerouted;
    case policy::Action::kDiscard:
      return Outcome::kDiscarded;
    case policy::Action::kObserve:
      break;
  }
  return Outcome::kAccepted;
}

RecipientOutcome to_recipient_outcome(Outcome outcome) {
  switch (outcome) {
    case Outcome::kThrottled:
      return RecipientOutcome::kThrottled;
    case Outcome::kRejected:
      return RecipientOutcome::kRejected;
    case Outcome::kFallback:
      return RecipientOutcome::kFallback;
    default:
      return RecipientOutcome::kDeferred;
  }
}

}  // namespace ipmit::milter
