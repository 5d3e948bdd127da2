// SPDX-License-Identifier: Apache-2.0
// The fields of delivery-status parts, and texts that report a bounce to people.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "events/bounce_returned.h"
#include "events/bounce_text.h"
#include "events/bounce_text_report.h"
#include "events/dsn_report.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace ipmit::events;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto dsn = parse_dsn(text);
  if (dsn && dsn->recipients.size() > kMaxRecipients) std::abort();
  const SplitReport split = split_report(text);
  if (split.report.size() + split.returned.size() > text.size()) std::abort();
  if (read_text_report(split.report).size() > kMaxRecipients) std::abort();
  const NormalText normal = normalize_diagnostic(text);
  if (normal.words.find("  ") != std::string::npos) std::abort();
  const ReplyCodes codes = find_codes(text);
  if (codes.reply.size() % 3 != 0) std::abort();
  return 0;
}
