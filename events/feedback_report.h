// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "events/mime_part.h"

namespace ipmit::events {

// A feedback report (ARF, RFC 5965): somebody, or a filter, complains about one message. Strings
// are as written; empty: unknown. What the report itself did not say and was taken from the message
// it is about is named in `derived`, because a message can be made up by whoever sends the report.
struct FeedbackReport {
  std::string
      feedback_type;  // lower case: "abuse", "fraud", "not-spam", "auth-failure", "opt-out", …
  std::string user_agent;
  std::string original_mail_from;
  std::vector<std::string> original_rcpt_to;  // addresses, at most kMaxRecipients
  std::string source_ip;                      // of the client that sent the message
  std::string arrival_date;
  std::string reported_domain;
  std::string reporting_mta;
  std::string original_envelope_id;
  std::vector<std::string> derived;  // of "recipient", "sender", "date", "address"
};

// `text`: a message/feedback-report part, or a text that holds one. nullopt: no Feedback-Type.
std::optional<FeedbackReport> parse_feedback_report(std::string_view text);

// Reports that are none by their form: Microsoft's older JMRP mails and "this is an email abuse
// report" with the message attached. nullopt: not one of these.
std::optional<FeedbackReport> recognise_informal_report(const MailHeaders& mail,
                                                        const MailHeaders& returned,
                                                        std::string_view text);

// Fills what is missing from the message that the report is about.
void derive_from(FeedbackReport& report, const MailHeaders& returned);

}  // namespace ipmit::events
