// SPDX-License-Identifier: Apache-2.0
// KumoMTA: log records, one JSON object a line, or as its log hooks send them.
#include "events/bounce_address.h"
#include "events/bounce_text.h"
#include "events/provider/provider_outcome.h"
#include "events/trace_token.h"

namespace ipmit::events {
namespace {

using Kind = ProviderOutcome::Kind;

std::optional<Kind> kind_of(std::string_view type) {
  if (type == "Delivery") return Kind::kSent;
  if (type == "TransientFailure") return Kind::kDeferred;
  if (type == "Bounce" || type == "AdminBounce" || type == "OOB") return Kind::kBounced;
  if (type == "Expiration") return Kind::kExpired;
  if (type == "Feedback") return Kind::kComplaint;
  return std::nullopt;  // Reception, Rejection, Delayed, …: not about a delivery of this message
}

// "192.0.2.1:25", "[2001:db8::1]:25", or without a port.
std::string host_part(std::string_view text) {
  if (text.starts_with('[')) return std::string(text.substr(1, text.find(']') - 1));
  const std::size_t colon = text.find(':');
  return std::string(text.find(':', colon + 1) == std::string_view::npos ? text.substr(0, colon)
                                                                         : text);
}

void read_response(const JsonView& response, ProviderOutcome& out) {
  out.reply = response["code"].text();
  if (const JsonView code = response["enhanced_code"]; code.is_object())
    out.status = code["class"].text() + '.' + code["subject"].text() + '.' + code["detail"].text();
  out.answer = response["content"].text();
}

std::string header(const JsonView& headers, std::initializer_list<std::string_view> names) {
  for (const std::string_view name : names)
    if (std::string value = headers[name].text(); !value.empty()) return value;
  return {};
}

// A record has one recipient, or those of one transaction.
void add_each(const ProviderOutcome& common, const JsonView& recipients, ProviderOutcomes& out) {
  const auto add = [&](std::string address) {
    out.outcomes.push_back(common);
    out.outcomes.back().recipient = std::move(address);
  };
  if (!recipients.is_list()) return add(recipients.need_text());
  if (recipients.items().empty()) recipients.complain("names no recipient");
  for (const JsonView& recipient : recipients.items()) add(recipient.need_text());
}

void read_feedback(const JsonView& record, ProviderOutcome common, ProviderOutcomes& out) {
  const JsonView report = record["feedback_report"];
  common.feedback_type = report["feedback_type"].text();
  common.reporting_mta = report["reporting_mta"]["name"].text();
  common.sender = report["original_mail_from"].text();
  common.client_address = host_part(report["source_ip"].text());
  common.answer.clear();
  JsonView recipients = report["original_rcpt_to"];
  if (recipients.items().empty()) {
    recipients = report["supplemental_trace"]["recipient"];
    common.derived.emplace_back("recipient");
  }
  add_each(common, recipients, out);
}

}  // namespace

void read_kumomta(const JsonView& record, ProviderOutcomes& out) {
  const std::string type = record["type"].need_text();
  const auto kind = kind_of(type);
  if (!kind) return;
  ProviderOutcome common;
  common.kind = *kind;
  common.by_provider = type == "AdminBounce";
  common.time = record[record.has("event_time") ? "event_time" : "timestamp"].need_time();
  common.sender = record["sender"].text();
  common.queue_id = record["id"].text();
  common.attempt = static_cast<std::uint32_t>(record["num_attempts"].natural());
  common.size_bytes = record["size"].natural();
  common.id = common.queue_id + ' ' + type + ' ' + std::to_string(common.attempt) + ' ' +
              common::to_rfc3339(common.time);
  common.message_id = header(record["headers"], {"Message-ID", "Message-Id", "message-id"});
  common.trace_token = header(record["headers"], {kTraceHeader, "x-ipmit-trace"});
  common.instance = record["egress_source"].text();
  common.relay_host = record["peer_address"]["name"].text();
  common.relay_address = host_part(record["peer_address"]["addr"].text());
  common.client_address = host_part(record["meta"]["received_from"].text());
  common.sasl_user = record["meta"]["authn_id"].text();
  if (*kind != Kind::kSent && *kind != Kind::kComplaint) {
    const std::string group = record["bounce_classification"].text();
    if (!group.empty() && group != "Uncategorized") common.remark = "KumoMTA: " + group;
  }
  read_response(record["response"], common);
  if (*kind == Kind::kComplaint) return read_feedback(record, std::move(common), out);
  add_each(common, record["recipient"], out);
}

}  // namespace ipmit::events
