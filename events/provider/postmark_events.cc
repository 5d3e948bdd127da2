// SPDX-License-Identifier: Apache-2.0
// Postmark: bodies of webhooks, told apart by RecordType.
#include <algorithm>

#include "events/bounce_text.h"
#include "events/provider/provider_outcome.h"

namespace ipmit::events {
namespace {

using Kind = ProviderOutcome::Kind;

// Types of Postmark's bounces that are no failed delivery.
bool is_no_failure(std::string_view type) {
  static constexpr std::string_view kTypes[] = {"AutoResponder", "Subscribe", "Unsubscribe",
                                                "AddressChange", "ChallengeVerification"};
  return std::find(std::begin(kTypes), std::end(kTypes), type) != std::end(kTypes);
}

// Types by which Postmark itself kept the message back.
bool is_own_refusal(std::string_view type) {
  static constexpr std::string_view kTypes[] = {"ManuallyDeactivated", "SMTPApiError",
                                                "InboundError", "TemplateRenderingFailed",
                                                "Unconfirmed"};
  return std::find(std::begin(kTypes), std::end(kTypes), type) != std::end(kTypes);
}

ProviderOutcome common_part(const JsonView& record) {
  ProviderOutcome out;
  out.queue_id = record["MessageID"].text();
  out.instance = record["MessageStream"].text();
  out.sender = record["From"].text();
  return out;
}

void finish(ProviderOutcome outcome, std::string_view kind, ProviderOutcomes& out) {
  outcome.id = outcome.queue_id + ' ' + std::string(kind);
  out.outcomes.push_back(std::move(outcome));
}

void read_bounce(const JsonView& record, ProviderOutcomes& out) {
  const std::string type = record["Type"].need_text();
  if (is_no_failure(type)) return;
  ProviderOutcome outcome = common_part(record);
  outcome.time = record["BouncedAt"].need_time();
  outcome.recipient = record["Email"].need_text();
  if (type == "SpamComplaint" || type == "SpamNotification") {
    outcome.kind = type == "SpamComplaint" ? Kind::kComplaint : Kind::kBounced;
    outcome.feedback_type = type == "SpamComplaint" ? "abuse" : "";
  } else {
    outcome.kind = type == "Transient" ? Kind::kDeferred : Kind::kBounced;
  }
  outcome.by_provider = is_own_refusal(type);
  outcome.answer = record["Details"].text();
  outcome.remark = "Postmark: " + type;
  finish(std::move(outcome), type, out);
}

void read_delivery(const JsonView& record, ProviderOutcomes& out) {
  ProviderOutcome outcome = common_part(record);
  outcome.kind = Kind::kSent;
  outcome.time = record["DeliveredAt"].need_time();
  outcome.recipient = record["Recipient"].need_text();
  outcome.answer = record["Details"].text();
  finish(std::move(outcome), "Delivery", out);
}

// Postmark stops sending to an address: told beside the bounce or complaint that made it do so,
// hence with the id of that one. A recipient's own wish, or a person's, is no sign of bad mail.
void read_subscription(const JsonView& record, ProviderOutcomes& out) {
  const std::string reason = record["SuppressionReason"].text();
  if (!record["SuppressSending"].flag() || (reason != "SpamComplaint" && reason != "HardBounce"))
    return;
  ProviderOutcome outcome = common_part(record);
  outcome.time = record["ChangedAt"].need_time();
  outcome.recipient = record["Recipient"].need_text();
  outcome.kind = reason == "SpamComplaint" ? Kind::kComplaint : Kind::kBounced;
  if (outcome.kind == Kind::kComplaint) outcome.feedback_type = "abuse";
  outcome.remark = "Postmark: " + reason;
  finish(std::move(outcome), reason, out);
}

}  // namespace

void read_postmark(const JsonView& record, ProviderOutcomes& out) {
  const std::string type = record["RecordType"].need_text();
  if (type == "Bounce" || type == "SpamComplaint")
    read_bounce(record, out);
  else if (type == "Delivery")
    read_delivery(record, out);
  else if (type == "SubscriptionChange")
    read_subscription(record, out);
  // Open, Click, Inbound say nothing about delivery.
}

}  // namespace ipmit::events
