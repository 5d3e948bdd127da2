// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>

// What tells a report that is written for people from other mail. None is enough by itself.
namespace ipmit::events {

// A sign that a text is a report of failed (or late) delivery, however it is worded.
bool speaks_of_failure(std::string_view text);

// A subject that mail servers give their reports; no answer to or forward of one.
bool is_bounce_subject(std::string_view subject);

}  // namespace ipmit::events
