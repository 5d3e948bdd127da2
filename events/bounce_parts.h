// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "events/dsn_report.h"
#include "events/feedback_report.h"
#include "events/mime_part.h"

namespace ipmit::events {

// What a mail holds that a report can be made of, wherever in the mail it stands.
struct ReportParts {
  std::string text;             // what is written for people, without the returned message
  std::vector<DsnReport> dsns;  // of message/delivery-status parts, or found in the text
  bool dsn_in_text = false;     // the latter
  std::vector<FeedbackReport> feedback;
  MailHeaders returned;           // header of the message that the report is about; may be empty
  bool returned_is_part = false;  // as a MIME part of its own
  MailHeaders receipt;            // fields of a message/disposition-notification (RFC 8098)
};

// HTML is read only where there is no plain text. The result keeps no reference to `mail`.
ReportParts collect_report(const Mail& mail);

// The text of a HTML document, tags and entities resolved as far as a bounce needs it.
std::string html_to_text(std::string_view html);

}  // namespace ipmit::events
