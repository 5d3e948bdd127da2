// SPDX-License-Identifier: Apache-2.0
#include "milter/decision_log.h"

#include <algorithm>
#include <array>
#include <string>

#include "common/log.h"

namespace ipmit::milter {
namespace {

constexpr std::chrono::milliseconds kWarnEvery{60'000};

struct WarningText {
  std::string_view event, meaning;
};
constexpr std::array<WarningText, DecisionLog::kWarnings> kWarningTexts{{
    {"client_unknown", "no client address from Postfix; address rules do not apply"},
    {"client_never_match",
     "client address is in never_match_networks; address rules do not apply. If real clients come "
     "through a proxy, let it use the PROXY protocol"},
    {"queue_id_missing", "Postfix sent no macro i; log lines cannot be joined by queue id"},
    {"no_rules", "no rules loaded since the start; see fallback in ipmit.yaml"},
    {"rules_stale", "the source of the rules has not been reached; see fallback in ipmit.yaml"},
    {"edit_failed", "a header change could not be sent to Postfix"},
    {"reroute_refused", "the transport is not in reroute_transports of ipmit.yaml; not rerouted"},
}};

std::string join(std::span<const policy::EnvelopeAddress> addresses) {
  std::string text;
  const std::size_t most = std::min(addresses.size(), DecisionLog::kMostRecipients);
  for (std::size_t i = 0; i < most; ++i) {
    if (i > 0) text += ',';
    text += addresses[i].to_string();
  }
  if (addresses.size() > most) text += ",…";
  return text;
}

}  // namespace

void DecisionLog::decision(const DecisionRecord& record) const {
  if (!common::log_enabled(common::LogLevel::kInfo)) return;
  common::log_event(
      common::LogLevel::kInfo, "decision",
      {{"queue_id", record.queue_id},
       {"session", record.session},
       {"stage", policy::to_string(record.stage)},
       {"action", record.action},
       {"mode", record.observed ? "observed" : "enforced"},
       {"mitigation", record.mitigation},
       {"reply", record.reply == nullptr ? std::string() : record.reply->to_string()},
       {"client_address", record.client == nullptr ? "unknown" : record.client->to_string()},
       {"sasl_user", record.sasl_user},
       {"envelope_sender", record.sender == nullptr ? std::string() : record.sender->to_string()},
       {"sender_domain", record.sender == nullptr ? std::string() : record.sender->domain()},
       {"recipient_count", record.recipients.size()},
       {"recipients", join(record.recipients)},
       {"reason", record.reason}});
}

void DecisionLog::warn(Warning warning, std::string_view key, std::string_view detail,
                       common::TimePoint now, std::string_view mitigation) {
  const auto index = static_cast<std::size_t>(warning);
  const common::TimePoint::rep now_ms = now.time_since_epoch().count();
  common::TimePoint::rep last = last_[index].load(std::memory_order_relaxed);
  if (last != 0 && now_ms - last < kWarnEvery.count()) return;
  if (!last_[index].compare_exchange_strong(last, now_ms, std::memory_order_relaxed)) return;
  const std::string_view event = kWarningTexts[index].event;
  const common::LogField what{key, detail}, meaning{"meaning", kWarningTexts[index].meaning};
  if (mitigation.empty()) {
    common::log_event(common::LogLevel::kWarn, event, {what, meaning});
  } else {
    common::log_event(common::LogLevel::kWarn, event, {{"mitigation", mitigation}, what, meaning});
  }
}

}  // namespace ipmit::milter
