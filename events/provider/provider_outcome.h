// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "events/provider/json_view.h"
#include "events/provider/provider_events.h"

namespace ipmit::events {

// What one record of a provider says of one recipient, in the provider's words. Empty: not said.
struct ProviderOutcome {
  enum class Kind : std::uint8_t { kSent, kDeferred, kBounced, kExpired, kComplaint };
  Kind kind = Kind::kBounced;
  bool by_provider = false;  // the provider's own decision: suppressed, refused; never evidence
  common::TimePoint time{};
  std::string id;  // of the event at the provider; makes event_id
  std::string recipient, sender;
  std::string message_id;  // of the message, with or without angle brackets
  std::string queue_id;    // the provider's own name for the message
  std::string instance;    // egress: configuration set, stream, pool
  std::string client_address, sasl_user;
  std::string relay_host, relay_address, reporting_mta;
  std::string status, reply;  // "5.1.1", "550"
  std::string answer;         // of the recipient's server
  std::string remark;         // of the provider: "Amazon SES: Permanent General"
  std::string feedback_type;
  std::string trace_token;
  std::uint32_t attempt = 0;
  std::uint64_t size_bytes = 0;
  std::vector<std::string> derived;
};

// What a record of a provider comes to.
struct ProviderOutcomes {
  std::vector<ProviderOutcome> outcomes;  // empty: says nothing about delivery
  std::optional<std::string> confirm_url;
};

// Each reads one object of its provider. What is missing or wrong is told through the view.
void read_ses(const JsonView& record, ProviderOutcomes& out);
void read_sendgrid(const JsonView& record, ProviderOutcomes& out);
void read_mailgun(const JsonView& record, ProviderOutcomes& out);
void read_postmark(const JsonView& record, ProviderOutcomes& out);
void read_kumomta(const JsonView& record, ProviderOutcomes& out);
DeliveryEvent read_ipmit(const JsonView& record);

// Class, hard bounce and codes by the same rules as everywhere.
ProviderRecord to_record(Provider provider, const ProviderOutcome& outcome,
                         const BounceRules& rules);
ProviderRecord to_record(DeliveryEvent event, const BounceRules& rules);

// Value of a header in a list such as [{"name": "Message-ID", "value": "<a@b>"}]; name in lower
// case.
std::string header_of(const JsonView& headers, std::string_view name);

}  // namespace ipmit::events
