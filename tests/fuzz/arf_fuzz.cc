// SPDX-License-Identifier: Apache-2.0
// The fields of feedback-report parts, completed from a message that is made of the same bytes.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "events/dsn_report.h"
#include "events/feedback_report.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace ipmit::events;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  auto report = parse_feedback_report(text);
  if (!report) return 0;
  if (report->feedback_type.empty()) std::abort();
  const MailHeaders returned = parse_headers(text);
  derive_from(*report, returned);
  if (report->original_rcpt_to.size() > kMaxRecipients || report->derived.size() > 4) std::abort();
  return 0;
}
