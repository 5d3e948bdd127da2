// SPDX-License-Identifier: Apache-2.0
// Any bytes as the JSON of a provider: told by its form, and taken for that of each.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include <nlohmann/json.hpp>

#include "conf/bounce_rules.h"
#include "events/provider/provider_events.h"

using namespace ipmit::events;

namespace {

const BounceRules& rules() {
  static const auto kRules = BounceRules::compile(
      *ipmit::conf::parse_bounce_rules(ipmit::conf::default_bounce_rules(), "built-in"));
  return *kRules;
}

void require(bool promise) {
  if (!promise) std::abort();
}

// What is printed is JSON, and an event of ours can be read back.
void check(const ProviderRecord& record) {
  std::string line;
  append_json(line, record);
  require(nlohmann::json::accept(line));
  require(!record.event.event_id.empty());
  if (record.result.kind == MailKind::kComplaint) return;
  std::string event;
  append_json(event, record.event);
  const auto back = read_delivery_event(event);
  if (record.event.recipient.empty() || record.event.text_truncated) return;
  if (!back) require(record.event.recipient.size() > 4096);
}

void read(std::optional<Provider> provider, std::string_view text) {
  std::uint64_t events = 0, problems = 0;
  ProviderReader reader(provider, rules(),
                        {[&](const ProviderRecord& record) {
                           ++events;
                           check(record);
                         },
                         [&](const std::string& problem) {
                           ++problems;
                           require(problem.size() < 10'000);
                         },
                         {}});
  reader.add(text.substr(0, text.size() / 2));
  reader.add(text.substr(text.size() / 2));
  reader.finish();
  require(reader.counters().events == events && reader.counters().bad == problems);
  require(problems <= reader.counters().records);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  read(std::nullopt, text);
  for (const char* name : {"ses", "sendgrid", "mailgun", "postmark", "kumomta", "ipmit"})
    read(parse_provider(name), text);
  return 0;
}
