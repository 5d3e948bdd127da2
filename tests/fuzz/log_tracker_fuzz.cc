// SPDX-License-Identifier: Apache-2.0
// Any sequence of lines against a small tracker: it stays within its limits, and what it saves is
// what it loads. The same bytes are also loaded as a state.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include <nlohmann/json.hpp>

#include "events/log_pipeline.h"

using namespace ipmit::events;

namespace {

constexpr std::size_t kMessages = 8;
constexpr std::size_t kBytes = 64 * 1024;

void require(bool promise) {
  if (!promise) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto check = [](const DeliveryEvent& event) {
    require(event.event_id.size() == 32);
    std::string json;
    append_json(json, event);
    require(nlohmann::json::accept(json));
  };
  LogPipeline pipeline({{}, std::chrono::minutes(0), {kMessages, kBytes}}, check);
  for (std::string_view rest = text; !rest.empty();) {
    const std::size_t end = rest.find('\n');
    pipeline.add({rest.substr(0, end), false});
    require(pipeline.tracker().messages() <= kMessages);
    rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
  }
  pipeline.finish();

  MessageTracker copy({kMessages, kBytes}, check);
  const std::string state = pipeline.tracker().save();
  require(copy.load(state));
  require(copy.save() == state);
  if (!copy.load(text)) require(copy.messages() == 0);
  return 0;
}
