// SPDX-License-Identifier: Apache-2.0
#include "events/bounce_sns.h"

#include <algorithm>
#include <utility>

#include <nlohmann/json.hpp>

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

// The string behind `key` anywhere in the text; for members of an object that may be damaged.
std::string text_behind(std::string_view text, std::string_view key) {
  const std::size_t at = text.find(key);
  if (at == std::string_view::npos) return {};
  const std::size_t open = text.find_first_not_of(" :\t", at + key.size());
  if (open == std::string_view::npos || text[open] != '"') return {};
  const std::string_view value = text.substr(open + 1, 998);
  return std::string(value.substr(0, value.find('"')));
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
    report.outcome = read_ses_bounce(object_of(plain, "\"bounce\":"));
  } else if (kind == "Complaint") {
    report.kind = SnsReport::Kind::kComplaint;
    report.outcome = read_ses_complaint(object_of(plain, "\"complaint\":"));
  } else if (kind == "Delivery") {
    report.kind = SnsReport::Kind::kDelivery;
    report.outcome = read_ses_delivery(object_of(plain, "\"delivery\":"));
  }
  if (report.outcome.recipients.empty()) return std::nullopt;
  report.sender = text_behind(plain, "\"source\"");
  const std::size_t mail = plain.find("\"mail\"");
  report.message_id =
      text_behind(std::string_view(plain).substr(std::min(mail, plain.size())), "\"messageId\"");
  return report;
}

}  // namespace ipmit::events
