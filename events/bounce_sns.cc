// SPDX-License-Identifier: Apache-2.0
#include "events/bounce_sns.h"

#include <algorithm>
#include <utility>

#include <nlohmann/json.hpp>

#include "events/bounce_text.h"
#include "events/dsn_report.h"

namespace ipmit::events {
namespace {

using nlohmann::json;

constexpr std::size_t kMaxJson = 256u << 10;

// The notification as JSON: one level of quoting off, and the line ends that mail servers put in.
std::string unquote(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\' && i + 1 < text.size() && (text[i + 1] == '"' || text[i + 1] == '\\'))
      ++i;
    else if (text[i] == '\r' || text[i] == '\n')
      continue;
    out += text[i];
  }
  return out;
}

// The object behind `key` ("\"bounce\":"), or nothing.
json object_of(std::string_view text, std::string_view key) {
  const std::size_t at = text.find(key);
  if (at == std::string_view::npos) return {};
  const std::size_t begin = text.find_first_not_of(" \t", at + key.size());
  if (begin == std::string_view::npos || text[begin] != '{') return {};
  std::size_t depth = 0;
  bool quoted = false;
  for (std::size_t i = begin; i < text.size(); ++i) {
    if (text[i] == '\\' && quoted) {
      ++i;
    } else if (text[i] == '"') {
      quoted = !quoted;
    } else if (!quoted && text[i] == '{') {
      if (++depth > 20) return {};
    } else if (!quoted && text[i] == '}' && --depth == 0) {
      json object = json::parse(text.substr(begin, i + 1 - begin), nullptr, false);
      return object.is_object() ? object : json();
    }
  }
  return {};
}

std::string text_of(const json& object, const char* key) {
  const auto member = object.is_object() ? object.find(key) : object.end();
  return member != object.end() && member->is_string() ? member->get<std::string>() : std::string();
}

// The string behind `key` anywhere in the text; for members of an object that may be damaged.
std::string text_behind(std::string_view text, std::string_view key) {
  const std::size_t at = text.find(key);
  if (at == std::string_view::npos) return {};
  const std::size_t open = text.find_first_not_of(" :\t", at + key.size());
  if (open == std::string_view::npos || text[open] != '"') return {};
  const std::string_view value = text.substr(open + 1, 998);
  return std::string(value.substr(0, value.find('"')));
}

void add_recipients(SnsReport& report, const json& object, const char* key) {
  const auto list = object.find(key);
  if (list == object.end() || !list->is_array()) return;
  for (const json& entry : *list) {
    if (report.recipients.size() >= kMaxRecipients) return;
    if (entry.is_string())
      report.recipients.push_back({entry.get<std::string>(), {}, {}, {}});
    else
      report.recipients.push_back({text_of(entry, "emailAddress"), text_of(entry, "action"),
                                   text_of(entry, "status"), text_of(entry, "diagnosticCode")});
  }
}

std::string without_type(const std::string& value) {
  const std::size_t semicolon = value.find(';');
  return std::string(
      trim(semicolon == std::string::npos ? value : std::string_view(value).substr(semicolon + 1)));
}

}  // namespace

std::optional<SnsReport> parse_sns_mail(std::string_view text) {
  const bool notification = text.find("notificationType") != std::string_view::npos;
  if (!notification && text.find("eventType") == std::string_view::npos) return std::nullopt;
  const std::string plain = unquote(text.substr(0, kMaxJson));
  const std::string kind =
      text_behind(plain, notification ? "\"notificationType\"" : "\"eventType\"");
  SnsReport report;
  if (kind == "Bounce") {
    const json bounce = object_of(plain, "\"bounce\":");
    report.type = text_of(bounce, "bounceType") + " " + text_of(bounce, "bounceSubType");
    report.reporting_mta = to_lower(without_type(text_of(bounce, "reportingMTA")));
    add_recipients(report, bounce, "bouncedRecipients");
  } else if (kind == "Complaint") {
    const json complaint = object_of(plain, "\"complaint\":");
    report.kind = SnsReport::Kind::kComplaint;
    report.feedback_type = to_lower(text_of(complaint, "complaintFeedbackType"));
    add_recipients(report, complaint, "complainedRecipients");
  } else if (kind == "Delivery") {
    const json delivery = object_of(plain, "\"delivery\":");
    report.kind = SnsReport::Kind::kDelivery;
    report.reporting_mta = to_lower(without_type(text_of(delivery, "reportingMTA")));
    add_recipients(report, delivery, "recipients");
    for (SnsRecipient& to : report.recipients) {
      to.action = "delivered";
      to.diagnostic = text_of(delivery, "smtpResponse");
    }
  }
  std::erase_if(report.recipients, [](const SnsRecipient& to) { return to.address.empty(); });
  if (report.recipients.empty()) return std::nullopt;
  report.sender = text_behind(plain, "\"source\"");
  const std::size_t mail = plain.find("\"mail\"");
  report.message_id =
      text_behind(std::string_view(plain).substr(std::min(mail, plain.size())), "\"messageId\"");
  return report;
}

}  // namespace ipmit::events
