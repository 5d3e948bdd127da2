// SPDX-License-Identifier: Apache-2.0
#include "cli/target_match.h"

#include "common/json_text.h"

namespace ipmit::cli {

bool contains(const policy::Target& outer, const policy::Target& inner) {
  if (outer.prefix() != nullptr && inner.prefix() != nullptr)
    return outer.prefix()->contains(*inner.prefix());
  if (outer.domain() != nullptr && inner.domain() != nullptr)
    return *outer.domain() == *inner.domain() ||
           (outer.domain()->subdomains() &&
            outer.domain()->matches(inner.domain()->domain().text()));
  return outer == inner;
}

bool overlaps(const policy::Target& a, const policy::Target& b) {
  return contains(a, b) || contains(b, a);
}

std::string json_string(std::string_view text) {
  std::string out;
  common::append_json_string(out, text);
  return out;
}

}  // namespace ipmit::cli
