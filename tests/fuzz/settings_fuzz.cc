// SPDX-License-Identifier: Apache-2.0
// A settings file in YAML. Beyond not crashing: what is accepted prints as a file that is accepted
// and means the same; what is refused has a reason on every line.
#include <cstdint>
#include <string_view>

#include "conf/settings.h"
#include "conf/settings_text.h"
#include "tests/fuzz/require.h"

using namespace ipmit;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto settings = conf::parse_settings(text, "fuzz.yaml");
  if (!settings) {
    require(settings.problem().starts_with("fuzz.yaml"));
    return 0;
  }
  const std::string written = conf::to_yaml(*settings);
  const auto again = conf::parse_settings(written, "again.yaml");
  require(again.ok());
  require(conf::to_yaml(*again) == written);
  return 0;
}
