// SPDX-License-Identifier: Apache-2.0
// Mailgun: bodies of webhooks (the event stands in "event-data"), and pages of the events API.
#include "events/bounce_text.h"
#include "events/provider/provider_outcome.h"

namespace ipmit::events {
namespace {

using Kind = ProviderOutcome::Kind;

std::optional<Kind> kind_of(const JsonView& event, std::string_view name) {
  if (name == "delivered") return Kind::kSent;
  if (name == "complained") return Kind::kComplaint;
  if (name == "rejected") return Kind::kBounced;
  if (name == "failed") {
    if (event["severity"].text() == "temporary") return Kind::kDeferred;
    return event["reason"].text() == "old" ? Kind::kExpired : Kind::kBounced;
  }
  return std::nullopt;  // accepted, opened, clicked, unsubscribed, stored, …
}

void describe(const JsonView& event, std::string_view name, ProviderOutcome& out) {
  const JsonView status = event["delivery-status"];
  const std::string reason = event["reason"].text();
  out.answer = status["message"].text();
  if (out.answer.empty()) out.answer = status["description"].text();
  out.reply = status["code"].text();  // codes from 600 are Mailgun's own and will be dropped
  out.status = status["enhanced-code"].text();
  out.attempt = static_cast<std::uint32_t>(status["attempt-no"].natural());
  out.relay_host = status["mx-host"].text();
  if (out.kind == Kind::kBounced || out.kind == Kind::kDeferred || out.kind == Kind::kExpired)
    out.remark = "Mailgun: " + (name == "rejected" ? event["reject"]["reason"].text() : reason);
  out.by_provider = name == "rejected" || reason.starts_with("suppress-");
}

void read_event(const JsonView& event, ProviderOutcomes& out) {
  const std::string name = event["event"].need_text();
  const auto kind = kind_of(event, name);
  if (!kind) return;
  ProviderOutcome outcome;
  outcome.kind = *kind;
  outcome.time = event["timestamp"].need_time();
  outcome.recipient = event["recipient"].need_text();
  outcome.id = event["id"].text();
  const JsonView message = event["message"];
  outcome.message_id = message["headers"]["message-id"].text();
  outcome.size_bytes = message["size"].natural();
  outcome.sender = event["envelope"]["sender"].text();
  if (outcome.sender.empty()) outcome.sender = message["headers"]["from"].text();
  outcome.instance = event["envelope"]["sending-ip"].text();
  if (*kind == Kind::kComplaint) outcome.feedback_type = "abuse";
  describe(event, name, outcome);
  if (outcome.id.empty())
    outcome.id = outcome.message_id + ' ' + name + ' ' + common::to_rfc3339(outcome.time);
  out.outcomes.push_back(std::move(outcome));
}

}  // namespace

void read_mailgun(const JsonView& record, ProviderOutcomes& out) {
  if (record.has("event-data")) {
    read_event(record["event-data"], out);
  } else if (record["items"].is_list()) {
    for (const JsonView& event : record["items"].items()) read_event(event, out);
  } else {
    read_event(record, out);
  }
}

}  // namespace ipmit::events
