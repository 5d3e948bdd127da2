// SPDX-License-Identifier: Apache-2.0
// The trace header as it comes back in a bounce or a complaint, and the fields it is made of.
// Beyond not crashing: nobody without the key makes a token, and what was sealed opens as it was.
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <variant>

#include <unistd.h>

#include "common/secret_box.h"
#include "events/trace_token.h"
#include "tests/fuzz/require.h"

using namespace ipmit;

namespace {

const common::SecretBox& box() {
  static const common::SecretBox made = [] {
    const auto file =
        std::filesystem::temp_directory_path() / ("ipmit-trace-fuzz." + std::to_string(::getpid()));
    common::KeyRing::create_file(file);
    const auto ring = common::KeyRing::load(file);
    std::filesystem::remove(file);
    return common::SecretBox(ring);
  }();
  return made;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const common::TimePoint now{std::chrono::seconds(1'795'600'000)};
  const auto opened = events::open_trace(box(), text, now, std::chrono::hours(1));
  require(std::holds_alternative<events::TraceForged>(opened) ||
          std::holds_alternative<events::TraceMalformed>(opened));

  events::TraceFields fields;
  fields.time = now;
  fields.sasl_user = text.substr(0, 255);
  fields.sender_domain = text.substr(size / 2, 253);
  fields.queue_id = text.substr(size / 3, 64);
  if (size >= 4 && data[0] % 2 == 0)
    fields.client = policy::IpAddress::from_v4({data[0], data[1], data[2], data[3]});
  const std::string token = events::seal_trace(box(), fields);
  require(token.size() <= events::kMaxTraceToken);
  const auto again =
      events::open_trace(box(), events::fold_trace(token), now, std::chrono::hours(1));
  const auto* read = std::get_if<events::TraceFields>(&again);
  require(read != nullptr && *read == fields);
  return 0;
}
