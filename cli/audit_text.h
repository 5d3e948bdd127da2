// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <iosfwd>
#include <string>
#include <string_view>
#include <vector>

#include "schema/store.h"

namespace ipmit::cli {

// Audit rows as people and programs read them, in the order given.
void print_audit(std::ostream& out, const std::vector<schema::AuditRow>& rows,
                 std::string_view indent);
std::string audit_json(const std::vector<schema::AuditRow>& rows);

}  // namespace ipmit::cli
