// SPDX-License-Identifier: Apache-2.0
#include "events/provider/provider_outcome.h"

#include <charconv>
#include <utility>

#include "events/bounce_address.h"
#include "events/bounce_decision.h"
#include "events/bounce_text.h"
#include "policy/ip_address.h"

namespace ipmit::events {
namespace {

using Kind = ProviderOutcome::Kind;

constexpr std::size_t kMaxName = 998;  // bytes of an id, a host or an address

std::string cut(std::string_view text) {
  return std::string(trim(text).substr(0, kMaxName));
}

std::string without_brackets(std::string_view id) {
  id = trim(id);
  if (id.starts_with('<')) id.remove_prefix(1);
  if (id.ends_with('>')) id.remove_suffix(1);
  return cut(id);
}

// "Name <user@example.net>" or the address alone; what is none stays as it is, for people to see.
std::string plain_address(const std::string& text) {
  std::string address = address_of(text);
  return address.empty() ? cut(text) : address;
}

DeliveryStatus status_of(Kind kind) {
  switch (kind) {
    case Kind::kSent:
      return DeliveryStatus::kSent;
    case Kind::kDeferred:
      return DeliveryStatus::kDeferred;
    case Kind::kBounced:
      return DeliveryStatus::kBounced;
    case Kind::kExpired:
      return DeliveryStatus::kExpired;
    case Kind::kComplaint:
      break;
  }
  return DeliveryStatus::kUnknown;
}

std::string_view action_of(Kind kind) {
  if (kind == Kind::kSent) return "delivered";
  if (kind == Kind::kDeferred) return "delayed";
  return kind == Kind::kComplaint ? "" : "failed";
}

// 200 to 599; 0 for all else, such as the codes that providers made up.
std::uint16_t to_code(std::string_view reply) {
  std::uint16_t code = 0;
  const auto end = std::from_chars(reply.data(), reply.data() + reply.size(), code).ptr;
  return end == reply.data() + reply.size() && code >= 200 && code <= 599 ? code : 0;
}

std::string valid_address(const std::string& text) {
  const auto address = policy::IpAddress::parse(trim(text));
  return address ? address->to_string() : std::string();
}

void classify(MailResult& result, Kind kind, const ProviderOutcome& outcome,
              const BounceRules& rules) {
  if (kind == Kind::kComplaint) {
    result.kind = MailKind::kComplaint;
    result.bounce_class = policy::BounceClass::kComplaint;
    result.feedback_type = to_lower(outcome.feedback_type);
  } else if (kind == Kind::kSent) {
    const ReplyCodes codes = find_codes(outcome.answer);
    result.kind = MailKind::kAuto;
    result.bounce_class = policy::BounceClass::kAuto;
    result.diagnostic = limited_text(outcome.answer);
    if (result.status.empty()) result.status = codes.status;
    result.reply = codes.reply;
  } else {
    decide_bounce(result, outcome.answer, outcome.remark, rules);
  }
  if (result.reply.empty()) result.reply = outcome.reply;
}

MailResult to_result(const ProviderOutcome& outcome, const BounceRules& rules) {
  MailResult result;
  result.recipient = plain_address(outcome.recipient);
  result.sender = plain_address(outcome.sender);
  result.message_id = without_brackets(outcome.message_id);
  result.queue_id = cut(outcome.queue_id);
  result.reporting_mta = cut(outcome.reporting_mta);
  result.remote_mta = to_lower(cut(outcome.relay_host));
  if (result.remote_mta.ends_with('.')) result.remote_mta.pop_back();
  result.source_address = valid_address(outcome.client_address);
  result.action = action_of(outcome.kind);
  result.status = parse_status(outcome.status);
  result.trace_token = limited_text(outcome.trace_token);
  result.derived = outcome.derived;
  classify(result, outcome.kind, outcome, rules);
  return result;
}

// Codes that the provider has taken out of the answer are put back in front of it, where the rules
// and people look for them.
std::string whole_answer(const ProviderOutcome& outcome) {
  if (outcome.answer.empty() || outcome.reply.empty() || !find_codes(outcome.answer).reply.empty())
    return outcome.answer;
  const bool has_status = !outcome.status.empty() && find_codes(outcome.answer).status.empty();
  return outcome.reply + ' ' + (has_status ? outcome.status + ' ' : "") + outcome.answer;
}

}  // namespace

ProviderRecord to_record(Provider provider, const ProviderOutcome& said, const BounceRules& rules) {
  ProviderOutcome outcome = said;
  if (to_code(said.reply) == 0) outcome.reply.clear();
  outcome.answer = whole_answer(outcome);
  ProviderRecord record;
  record.result = to_result(outcome, rules);
  const MailResult& result = record.result;
  DeliveryEvent& event = record.event;
  EventIdBuilder id;
  id.add(to_string(provider)).add(outcome.id).add(result.recipient);
  id.add(static_cast<std::uint64_t>(outcome.kind));
  id.write(event.event_id);
  event.time = outcome.time;
  event.status = status_of(outcome.kind);
  event.origin = outcome.by_provider ? EventOrigin::kLocalPolicy : EventOrigin::kDestination;
  event.source = EventSource::kProvider;
  event.instance = cut(outcome.instance);
  event.service = to_string(provider);
  event.queue_id = result.queue_id;
  event.message_id = result.message_id;
  event.client_address = result.source_address;
  event.sasl_user = cut(outcome.sasl_user);
  event.sender = result.sender;
  event.sender_known = !result.sender.empty();
  event.recipient = result.recipient;
  event.relay_host = result.remote_mta;
  event.relay_address = cut(outcome.relay_address);
  event.reply_code = to_code(result.reply);
  event.enhanced_code = result.status;
  event.text = limited_text(outcome.answer.empty() ? outcome.remark : outcome.answer);
  event.attempt = outcome.attempt;
  event.size_bytes = outcome.size_bytes;
  return record;
}

ProviderRecord to_record(DeliveryEvent event, const BounceRules& rules) {
  ProviderRecord record;
  MailResult& result = record.result;
  result.recipient = event.recipient;
  result.sender = event.sender;
  result.message_id = event.message_id;
  result.queue_id = event.queue_id;
  result.remote_mta = to_lower(event.relay_host);
  result.source_address = event.client_address;
  result.status = event.enhanced_code;
  ProviderOutcome outcome;
  outcome.answer = event.text;
  if (event.reply_code != 0) outcome.reply = std::to_string(event.reply_code);
  const bool arrived =
      event.status == DeliveryStatus::kSent || event.status == DeliveryStatus::kDeliverable;
  const bool waits = event.status == DeliveryStatus::kDeferred;
  outcome.kind = arrived ? Kind::kSent : waits ? Kind::kDeferred : Kind::kBounced;
  result.action = action_of(outcome.kind);
  classify(result, outcome.kind, outcome, rules);
  record.event = std::move(event);
  return record;
}

std::string header_of(const JsonView& headers, std::string_view name) {
  for (const JsonView& header : headers.items())
    if (to_lower(header["name"].text()) == name) return header["value"].text();
  return {};
}

void append_json(std::string& out, const ProviderRecord& record) {
  common::JsonObjectText json(out);
  const bool complaint = record.result.kind == MailKind::kComplaint;
  if (complaint) {
    json.always_text("event_id", record.event.event_id);
    json.always_text("time", common::to_rfc3339(record.event.time));
    json.always_text("source", to_string(record.event.source));
    json.always_text("service", record.event.service);
    add_members(json, record.result);
  } else {
    add_members(json, record.event);
  }
  if (record.result.kind == MailKind::kBounce) {
    json.text("class", policy::to_string(record.result.bounce_class));
    json.boolean("hardbounce", record.result.hard);
    json.text("rule", record.result.rule);
  }
  json.finish();
}

}  // namespace ipmit::events
