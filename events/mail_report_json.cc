// SPDX-License-Identifier: Apache-2.0
#include "events/mail_report.h"

namespace ipmit::events {

void add_members(common::JsonObjectText& object, const MailResult& result) {
  object.text("kind", to_string(result.kind));
  object.text("status", result.status);
  object.text("replycode", result.reply);
  object.text("class", policy::to_string(result.bounce_class));
  object.boolean("hardbounce", result.hard);
  object.text("recipient", result.recipient);
  object.text("action", result.action);
  object.text("feedbacktype", result.feedback_type);
  object.text("addresser", result.sender);
  object.text("messageid", result.message_id);
  object.text("rule", result.rule);
  object.text("stage", policy::to_string(result.stage));
  object.text("diagnostic", result.diagnostic);
  object.text("queueid", result.queue_id);
  object.text("reportingmta", result.reporting_mta);
  object.text("remotemta", result.remote_mta);
  object.text("sourceaddress", result.source_address);
  object.text("date", result.date);
  std::string derived = "[";
  for (const std::string& field : result.derived) {
    if (derived.size() > 1) derived += ',';
    common::append_json_string(derived, field);
  }
  object.raw("derived", derived + "]");
}

}  // namespace ipmit::events
