// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "policy/decide.h"

namespace ipmit::policy {
namespace {

// "hour" for one hour, else "15m".
std::string period_text(Duration period) {
  using std::chrono::hours;
  if (period == std::chrono::seconds(1)) return "second";
  if (period == std::chrono::minutes(1)) return "minute";
  if (period == hours(1)) return "hour";
  if (period == hours(24)) return "day";
  if (period == hours(24 * 7)) return "week";
  return common::to_duration_text(period);
}

std::string cause(const MitigationSet::Rule& rule, std::string_view matched) {
  std::string text(matched);
  if (rule.action == Action::kThrottle && rule.rate_limit) {
    text += " exceeds " + std::to_string(rule.rate_limit->limit) + ' ';
    return text.append(to_string(rule.rate_limit->unit))
        .append(" per ")
        .append(period_text(rule.rate_limit->period));
  }
  return text.append(": ").append(rule.reason);
}

std::string made_text(const MitigationSet::Rule& rule, std::string_view matched) {
  std::string origin = " (ipmit " + std::string(rule.name);
  if (rule.ends) origin += " until " + common::to_short_utc(*rule.ends);
  origin += ')';
  std::string text = cause(rule, matched);
  const std::size_t room = SmtpReply::kMaxText - std::min(origin.size(), SmtpReply::kMaxText);
  if (text.size() > room) {
    text.resize(room - std::min<std::size_t>(room, 3));
    text += "...";
  }
  return text + origin;
}

}  // namespace

SmtpReply reply_for(const MitigationSet::Rule& rule, std::string_view matched) {
  const bool permanent = rule.action == Action::kReject;
  const std::string text =
      rule.reply_text.empty() ? made_text(rule, matched) : std::string(rule.reply_text);
  const SmtpReply plain = permanent ? SmtpReply::reject(text) : SmtpReply::tempfail(text);
  auto own =
      SmtpReply::make(rule.reply_code.empty() ? plain.code() : rule.reply_code,
                      rule.reply_enhanced.empty() ? plain.enhanced() : rule.reply_enhanced, text);
  return own && own->is_permanent() == permanent ? std::move(own).value() : plain;
}

}  // namespace ipmit::policy
