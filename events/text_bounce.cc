// SPDX-License-Identifier: Apache-2.0
#include "events/text_bounce.h"

#include <algorithm>
#include <string>
#include <string_view>

#include "events/auto_reply.h"
#include "events/bounce_signs.h"
#include "events/bounce_text.h"
#include "events/bounce_text_report.h"

namespace ipmit::events {
namespace {

using policy::SmtpStage;

// A reply code and a status code, both of an error, in a mail that nobody is to answer.
bool quotes_refusal(const Mail& mail, const ReportParts& parts) {
  const ReplyCodes codes = find_codes(parts.text);
  return has_null_return_path(mail.headers) && !codes.status.empty() && !codes.reply.empty() &&
         codes.reply.front() != '2';
}

bool is_about_a_refusal(const std::string& text) {
  const ReplyCodes codes = find_codes(text);
  return !codes.reply.empty() || !codes.status.empty() || tells_sender(text) ||
         find_stage(text) != SmtpStage::kUnknown;
}

bool names_recipient(const std::string& text) {
  const auto named = read_text_report(text);
  return std::any_of(named.begin(), named.end(), [](const TextRecipient& to) { return to.sure; });
}

}  // namespace

bool is_answered(const MailHeaders& headers) {
  return !trim(headers.find("return-path")).empty() && !has_null_return_path(headers) &&
         !is_from_mail_system(headers) &&
         !is_bounce_subject(decode_header(headers.find("subject")));
}

bool is_text_bounce(const Mail& mail, const ReportParts& parts) {
  const bool names_failed = mail.headers.has("x-failed-recipients");
  if (names_failed && is_from_mail_system(mail.headers)) return true;
  const bool subject = is_bounce_subject(decode_header(mail.headers.find("subject")));
  const bool system = is_from_mail_system(mail.headers);
  // Terse systems write a reason and an address and nothing else, or a language we do not know.
  if (!speaks_of_failure(parts.text))
    return system && (subject || quotes_refusal(mail, parts)) && names_recipient(parts.text);
  const bool null_path = has_null_return_path(mail.headers) && !is_auto_reply(mail.headers);
  if (names_failed) return true;
  if (!parts.returned.empty()) return subject || system || null_path;
  const bool of_list = mail.headers.has("list-unsubscribe") || mail.headers.has("list-id");
  // Reports to the owner of a list come through the list.
  if (subject && (system || null_path)) return !of_list || has_system_address(mail.headers);
  if (is_from_mailer_daemon(mail.headers) && names_recipient(parts.text)) return true;
  // People write of failed mail, too, a postmaster and whoever watches his queues among them, but
  // hardly in the form of a report.
  if (of_list || is_letter(parts.text) || lists_kept_mails(parts.text)) return false;
  if (null_path) return true;
  if (system && !mail.headers.has("return-path")) return true;
  return (subject || system) && names_recipient(parts.text) && is_about_a_refusal(parts.text);
}

}  // namespace ipmit::events
