// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/error.h"
#include "policy/mitigation.h"

namespace ipmit::schema {

// Mitigation and Exemption <-> the fields of their hash in Redis, plain text that redis-cli shows:
// enums by name, times in RFC 3339, durations as "1h30m", lists one entry a line. Empty and default
// fields are left out; evidence stays in the store. `schema` is "1": a record of another schema, an
// unknown field or value is refused whole, never enforced in part.
using Fields = std::vector<std::pair<std::string_view, std::string>>;
Fields to_fields(const policy::Mitigation& mitigation);
Fields to_fields(const policy::Exemption& exemption);

// As HGETALL gives them, in any order. Problem: "field: reason", and what policy::validate() says.
using FieldViews = std::vector<std::pair<std::string_view, std::string_view>>;
common::Result<policy::Mitigation> mitigation_from_fields(std::string_view name,
                                                          const FieldViews& fields);
common::Result<policy::Exemption> exemption_from_fields(std::string_view target,
                                                        const FieldViews& fields);

}  // namespace ipmit::schema
