// SPDX-License-Identifier: Apache-2.0
// Whole mails through the pipeline, with the built-in rules.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "conf/bounce_rules.h"
#include "events/dsn_report.h"
#include "events/mail_report.h"

namespace {

const ipmit::events::BounceRules& rules() {
  static const auto kRules = ipmit::events::BounceRules::compile(
      *ipmit::conf::parse_bounce_rules(ipmit::conf::default_bounce_rules(), "built-in"));
  return *kRules;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const auto report = ipmit::events::parse_mail(bytes, rules());
  if ((report.kind == ipmit::events::MailKind::kNone) != report.results.empty()) std::abort();
  if (report.results.size() > ipmit::events::kMaxRecipients) std::abort();
  return 0;
}
