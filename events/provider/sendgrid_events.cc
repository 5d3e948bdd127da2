// SPDX-License-Identifier: Apache-2.0
// Twilio SendGrid: objects of the event webhook.
#include "events/bounce_text.h"
#include "events/provider/provider_outcome.h"

namespace ipmit::events {
namespace {

using Kind = ProviderOutcome::Kind;

std::optional<Kind> kind_of(std::string_view event) {
  if (event == "delivered") return Kind::kSent;
  if (event == "deferred") return Kind::kDeferred;
  if (event == "bounce" || event == "dropped") return Kind::kBounced;
  if (event == "spamreport") return Kind::kComplaint;
  return std::nullopt;  // processed, open, click, unsubscribe, …
}

}  // namespace

void read_sendgrid(const JsonView& record, ProviderOutcomes& out) {
  const std::string event = record["event"].need_text();
  const auto kind = kind_of(event);
  if (!kind) return;
  ProviderOutcome outcome;
  outcome.kind = *kind;
  outcome.time = record["timestamp"].need_time();
  outcome.recipient = record["email"].need_text();
  outcome.id = record["sg_event_id"].text();
  outcome.queue_id = record["sg_message_id"].text();
  outcome.message_id = record["smtp-id"].text();
  outcome.instance = record["pool"]["name"].text();
  outcome.status = record["status"].text();
  outcome.attempt = static_cast<std::uint32_t>(record["attempt"].natural());
  if (*kind == Kind::kComplaint) outcome.feedback_type = "abuse";
  // `reason` is the server's answer of a bounce, and SendGrid's own word for a drop.
  outcome.answer = record["response"].text();
  const std::string reason = record["reason"].text();
  outcome.by_provider = event == "dropped";
  if (outcome.by_provider) {
    outcome.answer.clear();
    outcome.remark = "SendGrid: dropped: " + reason;
  } else if (outcome.answer.empty()) {
    outcome.answer = reason;
  }
  if (const std::string group = record["bounce_classification"].text();
      !group.empty() && !outcome.by_provider)
    outcome.remark = "SendGrid: " + group;
  if (outcome.id.empty())
    outcome.id = outcome.queue_id + ' ' + event + ' ' + common::to_rfc3339(outcome.time);
  out.outcomes.push_back(std::move(outcome));
}

}  // namespace ipmit::events
