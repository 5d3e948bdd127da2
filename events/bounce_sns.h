// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace ipmit::events {

// What Amazon SES tells by a mail of Amazon SNS: JSON in the text of the mail, with the
// notification as a JSON string inside. Strings are as written; empty: the notification does not
// say.
struct SnsRecipient {
  std::string address, action, status, diagnostic;
};
struct SnsReport {
  enum class Kind { kBounce, kComplaint, kDelivery };
  Kind kind = Kind::kBounce;
  std::string type;           // "Permanent General"
  std::string feedback_type;  // of complaints
  std::string sender;
  std::string message_id;
  std::string reporting_mta;
  std::vector<SnsRecipient> recipients;  // at most kMaxRecipients
};

// nullopt: no such notification in `text`. Only the object that is wanted is parsed, so that lines
// broken elsewhere on the way do no harm.
std::optional<SnsReport> parse_sns_mail(std::string_view text);

}  // namespace ipmit::events
