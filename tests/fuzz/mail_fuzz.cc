// SPDX-License-Identifier: Apache-2.0
// Whole mails through the pipeline, with the built-in rules; and the same bytes as a mbox stream,
// cut into mails at once and in small pieces.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "conf/bounce_rules.h"
#include "events/dsn_report.h"
#include "events/mail_cutter.h"
#include "events/mail_report.h"
#include "tests/fuzz/require.h"

namespace {

using ipmit::events::MailCutter;

const ipmit::events::BounceRules& rules() {
  static const auto kRules = ipmit::events::BounceRules::compile(
      *ipmit::conf::parse_bounce_rules(ipmit::conf::default_bounce_rules(), "built-in"));
  return *kRules;
}

void read_mail(std::string_view mail) {
  const auto report = ipmit::events::parse_mail(mail, rules());
  require((report.kind == ipmit::events::MailKind::kNone) == report.results.empty());
  require(report.results.size() <= ipmit::events::kMaxRecipients);
}

std::vector<std::string> cut(std::string_view stream, std::size_t piece) {
  std::vector<std::string> mails;
  MailCutter cutter([&](std::string_view mail) { mails.emplace_back(mail); });
  for (std::size_t at = 0; at < stream.size(); at += piece) cutter.add(stream.substr(at, piece));
  cutter.finish();
  return mails;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  read_mail(bytes);
  const std::vector<std::string> mails = cut(bytes, size + 1);
  require(mails == cut(bytes, 1 + size % 7));
  std::string all;
  for (const std::string& mail : mails) {
    all += mail;
    if (mails.size() > 1) read_mail(mail);
  }
  require(all == bytes);  // nothing is lost: libFuzzer's inputs are below the limit of a mail
  return 0;
}
