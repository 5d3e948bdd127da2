// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

namespace ipmit::events {

// `text` without the paragraphs in which a scanner on the way says that it looked at the report
// ("has been scanned for viruses …"): they say nothing of why delivery failed. A paragraph that
// tells of a find, or holds a reply code, stays.
std::string without_scanner_footers(std::string_view text);

}  // namespace ipmit::events
