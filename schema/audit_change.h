// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string_view>

#include "schema/store.h"

namespace ipmit::schema {

// One audit row of a store as the change it records. `kind` is "mitigation" or "exemption", `after`
// JSON or empty for a removal. JSON that cannot be read is logged and counts as a removal: nobody
// enforces what nobody can read.
Change to_change(std::uint64_t revision, std::string_view kind, std::string_view subject,
                 std::string_view after);

}  // namespace ipmit::schema
