// SPDX-License-Identifier: Apache-2.0
// Mitigations and exemptions in JSON, as people import them. Beyond not crashing: what is accepted
// is valid, and writes itself so that it reads the same.
#include <cstdint>
#include <string_view>

#include "schema/mitigation_json.h"
#include "tests/fuzz/require.h"

using namespace ipmit;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (const auto rule = schema::mitigation_from_json(text)) {
    require(!policy::validate(*rule));
    const auto again = schema::mitigation_from_json(schema::to_json(*rule));
    require(again && *again == *rule);
  }
  if (const auto exemption = schema::exemption_from_json(text)) {
    const auto again = schema::exemption_from_json(schema::to_json(*exemption));
    require(again && *again == *exemption);
  }
  return 0;
}
