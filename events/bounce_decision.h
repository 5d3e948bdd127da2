// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

#include "events/bounce_rules.h"
#include "events/mail_report.h"

namespace ipmit::events {

// Fills codes, stage, diagnostic, class, rule and hard of a failed recipient from what was said of
// him: `diagnostic` is the answer of the refusing server as far as it is known by itself, `about`
// all that the report says. Recipient, status and MTA names of `result` are used as they stand; so
// mails, provider events and logs are judged by the same rules in the same way.
void decide_bounce(MailResult& result, std::string_view diagnostic, std::string_view about,
                   const BounceRules& rules);

// Trimmed, at most kMaxDiagnostic bytes.
std::string limited_text(std::string_view text);

}  // namespace ipmit::events
