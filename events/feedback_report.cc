// SPDX-License-Identifier: Apache-2.0
#include "events/feedback_report.h"

#include <algorithm>

#include "events/bounce_address.h"
#include "events/bounce_phrases.h"
#include "events/bounce_text.h"
#include "events/dsn_report.h"

namespace ipmit::events {
namespace {

void add_recipient(FeedbackReport& report, const std::string& address) {
  const auto known = [&](const std::string& other) { return equals_ignoring_case(other, address); };
  if (address.empty() || report.original_rcpt_to.size() >= kMaxRecipients ||
      std::any_of(report.original_rcpt_to.begin(), report.original_rcpt_to.end(), known))
    return;
  report.original_rcpt_to.push_back(address);
}

// Providers hide whom the message went to ("redacted@redacted.invalid", "undisclosed@…",
// "xxx@xxx").
bool is_hidden(std::string_view address) {
  const std::string low = to_lower(address);
  return low.find("redacted") != std::string::npos ||
         low.find("undisclosed") != std::string::npos || low.ends_with(".invalid");
}

std::string host_part(std::string_view value) {
  const std::size_t semicolon = value.find(';');
  return std::string(
      trim(semicolon == std::string_view::npos ? value : value.substr(semicolon + 1)));
}

// The IP address in brackets or parentheses of a Received or Source-IP value.
std::string bracketed_ip(std::string_view value) {
  for (std::size_t open = value.find_first_of("[("); open != std::string_view::npos;
       open = value.find_first_of("[(", open + 1)) {
    std::string_view ip = value.substr(open + 1);
    ip = ip.substr(0, ip.find_first_of("])"));
    if (ip.starts_with("IPv6:")) ip.remove_prefix(5);
    const bool numeric = !ip.empty() && ip.size() <= 45 &&
                         ip.find_first_not_of("0123456789abcdefABCDEF.:") == std::string_view::npos;
    if (numeric &&
        (std::count(ip.begin(), ip.end(), '.') == 3 || ip.find(':') != std::string_view::npos))
      return std::string(ip);
  }
  return {};
}

void set_field(FeedbackReport& report, const std::string& name, const std::string& value) {
  if (name == "feedback-type") report.feedback_type = to_lower(trim(value));
  if (name == "user-agent") report.user_agent = value;
  if (name == "original-mail-from") report.original_mail_from = address_of(value);
  if (name == "original-rcpt-to" || name == "removal-recipient")
    for (auto found = find_address(value); found; found = find_address(value, found->end))
      if (!is_hidden(found->address)) add_recipient(report, found->address);
  if (name == "source-ip" || name == "x-source-ip") report.source_ip = trim(value);
  if (name == "arrival-date" || name == "received-date") report.arrival_date = value;
  if (name == "reported-domain") report.reported_domain = to_lower(trim(value));
  if (name == "reporting-mta") report.reporting_mta = host_part(value);
  if (name == "original-envelope-id") report.original_envelope_id = value;
}

}  // namespace

std::optional<FeedbackReport> parse_feedback_report(std::string_view text) {
  FeedbackReport report;
  // Blank lines inside are wrong, but occur.
  while (!text.empty()) {
    const MailHeaders fields = parse_headers(text);
    for (const auto& [name, value] : fields.fields()) set_field(report, name, value);
    const std::size_t blank = std::min(text.find("\n\n"), text.find("\n\r\n"));
    if (blank == std::string_view::npos) break;
    text.remove_prefix(text.find_first_not_of("\r\n", blank) == std::string_view::npos
                           ? text.size()
                           : text.find_first_not_of("\r\n", blank));
  }
  if (report.feedback_type.empty()) return std::nullopt;
  return report;
}

std::optional<FeedbackReport> recognise_informal_report(const MailHeaders& mail,
                                                        const MailHeaders& returned,
                                                        std::string_view text) {
  if (returned.empty()) return std::nullopt;
  const std::string subject = to_lower(mail.find("subject").substr(0, 200));
  const std::string_view hotmail_recipient = returned.find("x-hmxmroriginalrecipient");
  const bool jmrp = !hotmail_recipient.empty() || mail.has("x-hmxmroriginalrecipient");
  static const PhraseIndex kSayings(
      {"this is an email abuse report", "this is an abuse report", "this is a spam report"});
  const bool says_so = kSayings.occurs_in(text.substr(0, 400)) ||
                       subject.starts_with("complaint about message from");
  if (!jmrp && !says_so) return std::nullopt;
  FeedbackReport report;
  report.feedback_type = "abuse";
  add_recipient(report,
                address_of(jmrp && hotmail_recipient.empty() ? mail.find("x-hmxmroriginalrecipient")
                                                             : hotmail_recipient));
  if (const std::size_t ip = subject.find("message from "); ip != std::string::npos)
    report.source_ip = trim(std::string_view(subject).substr(ip + 13));
  return report;
}

void derive_from(FeedbackReport& report, const MailHeaders& returned) {
  if (report.original_rcpt_to.empty()) {
    const std::string_view hotmail = returned.find("x-hmxmroriginalrecipient");
    const std::string to = address_of(hotmail.empty() ? returned.find("to") : hotmail);
    if (!to.empty() && !is_hidden(to)) {
      report.original_rcpt_to.push_back(to);
      report.derived.emplace_back("recipient");
    }
  }
  if (report.original_mail_from.empty()) {
    std::string from = address_of(returned.find("return-path"));
    if (from.empty()) from = address_of(returned.find("from"));
    if (!from.empty()) report.derived.emplace_back("sender");
    report.original_mail_from = std::move(from);
  }
  if (report.arrival_date.empty() && returned.has("date")) {
    report.arrival_date = returned.find("date");
    report.derived.emplace_back("date");
  }
  if (report.source_ip.empty()) {
    report.source_ip = bracketed_ip(returned.find("received"));
    if (!report.source_ip.empty()) report.derived.emplace_back("address");
  }
}

}  // namespace ipmit::events
