// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <string>
#include <string_view>

namespace ipmit::events {

// Reads the top level of one JSON object, for log lines that come by the million, where a document
// tree would cost more than the line. `member(key, value)` is called for each member whose value is
// a string (unescaped, a lone surrogate becomes U+FFFD) or a number; others are skipped. The views
// live for the call only. `scratch` is used for unescaping and keeps its capacity.
// False: not an object, or malformed; members before the fault were reported. Nesting is skipped
// without recursion, and time is linear.
bool read_flat_json(std::string_view text, std::string& scratch,
                    const std::function<void(std::string_view, std::string_view)>& member);

}  // namespace ipmit::events
