// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdio>
#include <random>
#include <string>

namespace ipmit::schema {

// 16 hexadecimal digits that nobody else will draw: names an epoch or a batch. No secret.
inline std::string random_id() {
  std::random_device random;
  char text[17];
  std::snprintf(text, sizeof text, "%08x%08x", static_cast<unsigned>(random()),
                static_cast<unsigned>(random()));
  return text;
}

}  // namespace ipmit::schema
