// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

#include "policy/mitigation.h"

namespace ipmit::cli {

// Whether everything `inner` means is meant by `outer` too.
bool contains(const policy::Target& outer, const policy::Target& inner);
// Whether some mail could be meant by both, by the same kind of target.
bool overlaps(const policy::Target& a, const policy::Target& b);

// `text` as a JSON string, with quotes.
std::string json_string(std::string_view text);

}  // namespace ipmit::cli
