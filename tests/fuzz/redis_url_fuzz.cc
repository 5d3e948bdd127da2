// SPDX-License-Identifier: Apache-2.0
// Where Redis is, as one line of configuration. Beyond not crashing: what is accepted prints as the
// same place.
#include <cstdint>
#include <string_view>

#include "schema/redis_url.h"
#include "tests/fuzz/require.h"

using namespace ipmit;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto url = schema::parse_redis_url(text);
  if (!url) {
    require(!url.problem().empty());
    return 0;
  }
  const auto again = schema::parse_redis_url(url->to_string());
  require(again && *again == *url);
  return 0;
}
