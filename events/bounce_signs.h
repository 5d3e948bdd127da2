// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>

// What tells a report that is written for people from other mail. None is enough by itself.
namespace ipmit::events {

// A sign that a text is a report of failed (or late) delivery, however it is worded.
bool speaks_of_failure(std::string_view text);

// A subject that mail servers give their reports; no answer to or forward of one.
bool is_bounce_subject(std::string_view subject);

// What a person writes, not a mail system: a greeting above the text, or a line that asks.
bool is_letter(std::string_view text);

// Speaks to whoever sent a message: "your message".
bool tells_sender(std::string_view text);

// A digest of mails that a filter keeps for their recipient.
bool lists_kept_mails(std::string_view text);

}  // namespace ipmit::events
