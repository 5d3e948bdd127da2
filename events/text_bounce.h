// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "events/bounce_parts.h"
#include "events/mime_part.h"

namespace ipmit::events {

// Signs that a mail without any DSN is a bounce: who wrote it, what its subject and text say.
bool is_text_bounce(const Mail& mail, const ReportParts& parts);

// A mail of somebody who can be answered, and who may quote a report.
bool is_answered(const MailHeaders& headers);

}  // namespace ipmit::events
