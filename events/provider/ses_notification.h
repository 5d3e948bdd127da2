// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

namespace ipmit::events {

// What the objects of an Amazon SES notification say, whether it came by HTTP or by a mail of
// Amazon SNS. Strings are as written; empty: the notification does not say.
struct SesRecipient {
  std::string address, action, status, diagnostic;
};
struct SesOutcome {
  std::string type;  // "Permanent General" of a bounce
  std::string feedback_type;
  std::string reporting_mta;  // lower case, without its "dns;"
  std::vector<SesRecipient> recipients;
};

// The object "bounce", "complaint", "delivery" or "deliveryDelay" of a notification.
SesOutcome read_ses_bounce(const nlohmann::json& bounce);
SesOutcome read_ses_complaint(const nlohmann::json& complaint);
SesOutcome read_ses_delivery(const nlohmann::json& delivery);
SesOutcome read_ses_delay(const nlohmann::json& delay);

}  // namespace ipmit::events
