// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

#include "common/error.h"
#include "policy/mitigation_set.h"

namespace ipmit::schema {

// Mitigations and exemptions packed back to back for the disk snapshot: integers as LEB128 (signed
// ones zigzag), texts after their length, addresses as bytes, absent parts as a cleared flag. About
// 90 bytes a rule; read at about a million rules a second. Evidence is not packed.
void pack_rules(const policy::MitigationSet::Source& set, std::string& out);

// The inverse. Problem: what does not fit where ("mitigation 17: text is cut"), or a rule that
// policy::validate() refuses. Safe on any bytes.
common::Result<policy::MitigationSet::Source> unpack_rules(std::string_view bytes);

}  // namespace ipmit::schema
