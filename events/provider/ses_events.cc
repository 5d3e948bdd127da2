// SPDX-License-Identifier: Apache-2.0
// Amazon SES: notifications and published events, bare, in the envelope of Amazon SNS, or as
// EventBridge and Lambda pass them on.
#include "events/bounce_text.h"
#include "events/provider/provider_outcome.h"
#include "events/provider/ses_notification.h"
#include "events/trace_token.h"

namespace ipmit::events {
namespace {

using Kind = ProviderOutcome::Kind;

// What all recipients of a notification have in common.
ProviderOutcome common_part(const JsonView& notification) {
  const JsonView mail = notification["mail"];
  ProviderOutcome out;
  out.sender = mail["source"].text();
  out.queue_id = mail["messageId"].text();
  out.message_id = mail["commonHeaders"]["messageId"].text();
  if (out.message_id.empty()) out.message_id = header_of(mail["headers"], "message-id");
  out.trace_token = header_of(mail["headers"], to_lower(kTraceHeader));
  out.client_address = mail["sourceIp"].text();
  const auto sets = mail["tags"]["ses:configuration-set"].items();
  if (!sets.empty()) out.instance = sets.front().text();
  return out;
}

void add_each(const ProviderOutcome& common, const SesOutcome& said, const JsonView& object,
              ProviderOutcomes& out) {
  if (said.recipients.empty()) object.complain("names no recipient");
  for (const SesRecipient& to : said.recipients) {
    ProviderOutcome outcome = common;
    outcome.recipient = to.address;
    outcome.status = to.status;
    outcome.answer = to.diagnostic;
    out.outcomes.push_back(std::move(outcome));
  }
}

SesOutcome all_recipients(const JsonView& mail) {
  SesOutcome said;
  for (const JsonView& to : mail["destination"].items())
    if (std::string address = to.text(); !address.empty())
      said.recipients.push_back({std::move(address), {}, {}, {}});
  return said;
}

struct Form {
  const char* event;   // of notificationType or eventType
  const char* member;  // the object that says more
  Kind kind;
  SesOutcome (*read)(const nlohmann::json&);
};
constexpr Form kForms[] = {
    {"Bounce", "bounce", Kind::kBounced, read_ses_bounce},
    {"Complaint", "complaint", Kind::kComplaint, read_ses_complaint},
    {"Delivery", "delivery", Kind::kSent, read_ses_delivery},
    {"DeliveryDelay", "deliveryDelay", Kind::kDeferred, read_ses_delay},
};

void read_form(const Form& form, const JsonView& notification, ProviderOutcomes& out) {
  const JsonView object = notification[form.member];
  if (!object.is_object()) return object.complain("missing");
  const SesOutcome said = form.read(object.json());
  ProviderOutcome common = common_part(notification);
  common.kind = form.kind;
  common.time = object["timestamp"].need_time();
  common.reporting_mta = said.reporting_mta;
  common.relay_address = object["remoteMtaIp"].text();
  common.feedback_type = said.feedback_type;
  common.id = object["feedbackId"].text();
  if (common.id.empty()) common.id = common.queue_id + ' ' + common::to_rfc3339(common.time);
  if (form.kind == Kind::kBounced || form.kind == Kind::kDeferred)
    common.remark = "Amazon SES: " + said.type;
  // Amazon SES did not even try: the address is on a suppression list.
  common.by_provider = said.type.find("Suppress") != std::string::npos;
  add_each(common, said, object, out);
}

// SES itself refused the message, for a virus.
void read_reject(const JsonView& notification, ProviderOutcomes& out) {
  ProviderOutcome common = common_part(notification);
  common.by_provider = true;
  common.time = notification["mail"]["timestamp"].need_time();
  common.id = common.queue_id;
  common.remark = "Amazon SES: Reject " + notification["reject"]["reason"].text();
  add_each(common, all_recipients(notification["mail"]), notification["mail"]["destination"], out);
}

void read_notification(const JsonView& notification, ProviderOutcomes& out) {
  std::string kind = notification["notificationType"].text();
  if (kind.empty()) kind = notification["eventType"].text();
  if (kind.empty()) return notification["eventType"].complain("missing");
  for (const Form& form : kForms)
    if (kind == form.event) return read_form(form, notification, out);
  if (kind == "Reject") read_reject(notification, out);
  // Others (Send, Open, Click, Rendering Failure, Subscription) say nothing about delivery.
}

// The message in an envelope of Amazon SNS: JSON as a text, or something that is not for us, such
// as the greeting SES sends to a new topic.
void read_envelope(const JsonView& envelope, ProviderOutcomes& out) {
  const std::string type = envelope["Type"].text();
  if (type == "SubscriptionConfirmation" || type == "UnsubscribeConfirmation") {
    out.confirm_url = envelope["SubscribeURL"].need_text();
    return;
  }
  const std::string message = envelope["Message"].need_text();
  if (!trim(message).starts_with('{')) return;
  const auto parsed = parse_json(message);
  if (!parsed) return envelope["Message"].complain(parsed.problem());
  read_notification(envelope.inside("Message", *parsed), out);
}

}  // namespace

void read_ses(const JsonView& record, ProviderOutcomes& out) {
  if (record.has("TopicArn") || record.has("Message")) {
    read_envelope(record, out);
  } else if (record["detail"].is_object()) {
    read_notification(record["detail"], out);
  } else if (record["Records"].is_list()) {
    for (const JsonView& entry : record["Records"].items()) read_envelope(entry["Sns"], out);
  } else {
    read_notification(record, out);
  }
}

}  // namespace ipmit::events
