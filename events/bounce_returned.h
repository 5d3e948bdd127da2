// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>

#include "events/mime_part.h"

namespace ipmit::events {

// Many mail servers write the report and the message they return into one text. split_report()
// finds where the report ends: at a line that announces the message ("----- Original message
// -----", "A copy of your message follows:") or, where nothing does, at the first Received or
// Return-Path field.
struct SplitReport {
  std::string_view report;    // what the server has to say
  std::string_view returned;  // from the first header field of the message on; may be empty
};
SplitReport split_report(std::string_view text);

// Header of the returned message in `text`, which may start with blank or dashed lines, a mbox
// separator or MIME fields of the part.
MailHeaders returned_headers(std::string_view text);

}  // namespace ipmit::events
