// SPDX-License-Identifier: Apache-2.0
#include "events/provider/ses_notification.h"

#include <algorithm>

#include <nlohmann/json.hpp>

#include "events/bounce_text.h"
#include "events/dsn_report.h"

namespace ipmit::events {
namespace {

using nlohmann::json;

std::string text_of(const json& object, const char* key) {
  const auto member = object.is_object() ? object.find(key) : object.end();
  return member != object.end() && member->is_string() ? member->get<std::string>() : std::string();
}

void add_recipients(SesOutcome& out, const json& object, const char* key) {
  if (!object.is_object()) return;
  const auto list = object.find(key);
  if (list == object.end() || !list->is_array()) return;
  for (const json& entry : *list) {
    if (out.recipients.size() >= kMaxRecipients) return;
    SesRecipient to;
    to.address = entry.is_string() ? entry.get<std::string>() : text_of(entry, "emailAddress");
    to.action = text_of(entry, "action");
    to.status = text_of(entry, "status");
    to.diagnostic = text_of(entry, "diagnosticCode");
    if (!to.address.empty()) out.recipients.push_back(std::move(to));
  }
}

std::string mta_of(const json& object) {
  const std::string value = text_of(object, "reportingMTA");
  const std::size_t semicolon = value.find(';');
  return to_lower(trim(semicolon == std::string::npos
                           ? std::string_view(value)
                           : std::string_view(value).substr(semicolon + 1)));
}

}  // namespace

SesOutcome read_ses_bounce(const json& bounce) {
  SesOutcome out;
  out.type = text_of(bounce, "bounceType") + " " + text_of(bounce, "bounceSubType");
  out.reporting_mta = mta_of(bounce);
  add_recipients(out, bounce, "bouncedRecipients");
  return out;
}

SesOutcome read_ses_complaint(const json& complaint) {
  SesOutcome out;
  out.feedback_type = to_lower(text_of(complaint, "complaintFeedbackType"));
  add_recipients(out, complaint, "complainedRecipients");
  return out;
}

SesOutcome read_ses_delivery(const json& delivery) {
  SesOutcome out;
  out.reporting_mta = mta_of(delivery);
  add_recipients(out, delivery, "recipients");
  for (SesRecipient& to : out.recipients) {
    to.action = "delivered";
    to.diagnostic = text_of(delivery, "smtpResponse");
  }
  return out;
}

SesOutcome read_ses_delay(const json& delay) {
  SesOutcome out;
  out.type = "Delay " + text_of(delay, "delayType");
  out.reporting_mta = mta_of(delay);
  add_recipients(out, delay, "delayedRecipients");
  for (SesRecipient& to : out.recipients) to.action = "delayed";
  return out;
}

}  // namespace ipmit::events
