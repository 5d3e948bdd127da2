// SPDX-License-Identifier: Apache-2.0
#include "events/auto_reply.h"

#include <algorithm>
#include <string>

#include "events/bounce_address.h"
#include "events/bounce_text.h"

namespace ipmit::events {
namespace {

bool subject_of_auto_reply(const MailHeaders& mail) {
  static constexpr std::string_view kStarts[] = {
      "automatic reply",
      "auto reply",
      "auto-reply",
      "autoreply",
      "auto:",
      "auto response",
      "auto-response",
      "autoresponse",
      "automated reply",
      "automated response",
      "out of office",
      "out of the office",
      "out-of-office",
      "ooo:",
      "vacation:",
      "away from",
      "away until",
      "automatische antwort",
      "abwesenheit",
      "automatische abwesenheits",
      "r\xC3\xA9ponse automatique",
      "absence du bureau",
      "respuesta autom\xC3\xA1tica",
      "fuera de la oficina",
      "risposta automatica",
      "fuori sede",
      "resposta autom\xC3\xA1tica",
      "automatisch antwoord",
      "afwezig",
      "\xD0\xB0\xD0\xB2\xD1\x82\xD0\xBE\xD0\xBE\xD1\x82\xD0\xB2\xD0\xB5\xD1\x82",
      "\xE8\x87\xAA\xE5\x8B\x95\xE5\xBF\x9C\xE7\xAD\x94",
      "\xE8\x87\xAA\xE5\x8B\x95\xE8\xBF\x94\xE4\xBF\xA1",
      "\xE8\x87\xAA\xE5\x8A\xA8\xE5\x9B\x9E\xE5\xA4\x8D"};
  const std::string subject = to_lower(trim(decode_header(mail.find("subject"))));
  return std::any_of(std::begin(kStarts), std::end(kStarts),
                     [&](std::string_view start) { return subject.starts_with(start); });
}

// The local part of an address field, lower case; all of it where it holds no address.
std::string local_name(std::string_view field) {
  const std::string address = address_of(field);
  return to_lower(address.empty() ? field : local_part_of(address));
}

bool is_mailer_daemon(std::string_view local) {
  static constexpr std::string_view kNames[] = {"mailer-daemon", "mailerdaemon", "mailer_daemon",
                                                "mail-daemon",   "maildelivery", "smtp-daemon",
                                                "mdaemon"};
  return std::find(std::begin(kNames), std::end(kNames), local) != std::end(kNames);
}

}  // namespace

bool is_from_mailer_daemon(const MailHeaders& mail) {
  return is_mailer_daemon(local_name(mail.find("from")));
}

bool has_null_return_path(const MailHeaders& mail) {
  const std::string_view path = trim(mail.find("return-path"));
  return path == "<>" || (!path.empty() && is_mailer_daemon(local_name(path)));
}

bool has_system_address(const MailHeaders& mail) {
  static constexpr std::string_view kNames[] = {"postmaster", "post_master", "poostmaster",
                                                "mailer",     "mailadmin",   "mail-delivery",
                                                "bounce",     "bounces"};
  const std::string local = local_name(mail.find("from"));
  return is_mailer_daemon(local) ||
         std::find(std::begin(kNames), std::end(kNames), local) != std::end(kNames);
}

bool is_from_mail_system(const MailHeaders& mail) {
  if (has_system_address(mail)) return true;
  const std::string name = to_lower(mail.find("from"));
  static constexpr std::string_view kTitles[] = {
      "mailer-daemon", "mail delivery",        "mail deliver", "mailer daemon",
      "postmaster",    "delivery subsystem",   "mail system",  "mail administrator",
      "interscan",     "mail delivery service"};
  return trim(name).empty() || name == "<>" ||
         std::any_of(std::begin(kTitles), std::end(kTitles),
                     [&](std::string_view title) { return name.find(title) != std::string::npos; });
}

bool is_auto_reply(const MailHeaders& mail) {
  if (is_from_mail_system(mail)) return false;
  const std::string submitted = to_lower(mail.find("auto-submitted"));
  if (submitted.starts_with("auto-replied")) return true;
  const std::string precedence = to_lower(mail.find("precedence"));
  if (precedence == "auto_reply" || precedence == "auto-reply") return true;
  const std::string x_autoreply = to_lower(mail.find("x-autoreply"));
  if (x_autoreply == "yes" || mail.has("x-autorespond") || mail.has("x-autoresponder") ||
      mail.has("x-apple-action"))
    return true;
  return subject_of_auto_reply(mail) && !mail.has("list-id") && !mail.has("list-unsubscribe");
}

}  // namespace ipmit::events
