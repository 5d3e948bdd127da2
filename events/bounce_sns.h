// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "events/provider/ses_notification.h"

namespace ipmit::events {

// What Amazon SES tells by a mail of Amazon SNS: JSON in the text of the mail, with the
// notification as a JSON string inside.
struct SnsReport {
  enum class Kind { kBounce, kComplaint, kDelivery };
  Kind kind = Kind::kBounce;
  SesOutcome outcome;
  std::string sender;
  std::string message_id;
};

// nullopt: no such notification in `text`. Only the object that is wanted is parsed, so that lines
// broken elsewhere on the way do no harm.
std::optional<SnsReport> parse_sns_mail(std::string_view text);

}  // namespace ipmit::events
