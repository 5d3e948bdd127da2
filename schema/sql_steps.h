// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>
#include <string_view>

namespace ipmit::schema {

// One numbered file of schema/sql/, part of the program since it was built. Step n takes a database
// from version n-1 to n; steps only go forward. Immutable.
struct SqlStep {
  int version;  // 1, 2, … without a gap
  std::string_view file;
  std::string_view sql;
};
std::span<const SqlStep> sqlite_steps();
std::span<const SqlStep> postgres_steps();

}  // namespace ipmit::schema
