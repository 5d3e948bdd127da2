// SPDX-License-Identifier: Apache-2.0
#include "events/list_refusal.h"

#include "events/bounce_address.h"
#include "events/bounce_phrases.h"
#include "events/bounce_text.h"

namespace ipmit::events {

std::string refusing_list(const MailHeaders& mail, std::string_view text) {
  static const PhraseIndex kRefusals({"not a member", "are not member", "not member article",
                                      "mail is rejected", "list denies", "may cause mail loop",
                                      "loop back warning"});
  static constexpr std::string_view kMaintainer = "-admin";
  // What a list distributes is numbered.
  if (!to_lower(mail.find("x-mlserver")).starts_with("fml") || mail.has("x-mail-count")) return {};
  const std::string from = address_of(mail.find("from"));
  const std::string_view local = local_part_of(from);
  if (!local.ends_with(kMaintainer) || local.size() == kMaintainer.size()) return {};
  if (!kRefusals.occurs_in(text.substr(0, kMaxDiagnostic)) &&
      !kRefusals.occurs_in(mail.find("subject")))
    return {};
  return std::string(local.substr(0, local.size() - kMaintainer.size())) + '@' + domain_of(from);
}

}  // namespace ipmit::events
