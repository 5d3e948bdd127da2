// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "common/json_text.h"

namespace ipmit::schema {

// A JSON array of flat objects, as json_to_recordset() of PostgreSQL reads many rows from one
// parameter: `write` is called with the writer of each row's object. Belongs to one function's
// stack.
template <typename Rows, typename Write>
std::string to_json_rows(const Rows& rows, Write write) {
  std::string json = "[";
  for (const auto& row : rows) {
    if (json.size() > 1) json += ',';
    common::JsonObjectText object(json);
    write(object, row);
    object.finish();
  }
  return json += ']';
}

}  // namespace ipmit::schema
