// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "common/clock.h"

namespace ipmit::schema {

// Any bytes as text that every database holds and every terminal shows: what is not UTF-8 becomes
// U+FFFD, control characters but tab and line end become blanks, and of more than `most` bytes the
// first are kept and end in "…". Pure.
std::string readable_text(std::string_view bytes, std::size_t most);

// The same for a line of a log or a report, in which the local part of every address becomes "*":
// "to=<*@example.com>". Who sent is said by the target of the finding; who received is nobody's
// business.
std::string readable_evidence(std::string_view bytes);

}  // namespace ipmit::schema
