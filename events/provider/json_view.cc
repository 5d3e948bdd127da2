// SPDX-License-Identifier: Apache-2.0
#include "events/provider/json_view.h"

#include <charconv>
#include <cmath>

#include "events/bounce_text.h"
#include "events/dsn_report.h"

namespace ipmit::events {
namespace {

// The year 9999: what lies behind is no time of an event, and RFC 3339 cannot write it.
constexpr double kLastSecond = 253402300799.0;

std::optional<common::TimePoint> from_seconds(double seconds) {
  if (!(seconds >= 0 && seconds <= kLastSecond)) return std::nullopt;
  return common::TimePoint(std::chrono::milliseconds(std::llround(seconds * 1000)));
}

}  // namespace

JsonView JsonView::operator[](std::string_view key) const {
  JsonView member = *this;
  member.value_ = nullptr;
  if (!member.place_.empty()) member.place_ += '.';
  member.place_ += key;
  if (!is_object()) return member;
  const auto found = value_->find(key);
  if (found != value_->end() && !found->is_null()) member.value_ = &*found;
  return member;
}

JsonView JsonView::inside(std::string_view key, const Json& value) const {
  JsonView view = (*this)[key];
  view.value_ = &value;
  return view;
}

std::vector<JsonView> JsonView::items() const {
  std::vector<JsonView> out;
  if (!is_list()) return out;
  for (const Json& item : *value_) {
    if (out.size() >= kMaxRecipients) break;
    JsonView view = *this;
    view.value_ = &item;
    view.place_ += '[' + std::to_string(out.size()) + ']';
    out.push_back(std::move(view));
  }
  return out;
}

std::string JsonView::text() const {
  if (value_ == nullptr) return {};
  if (value_->is_string()) return value_->get<std::string>();
  if (value_->is_number_unsigned()) return std::to_string(value_->get<std::uint64_t>());
  if (value_->is_number_integer()) return std::to_string(value_->get<std::int64_t>());
  return {};
}

std::uint64_t JsonView::natural() const {
  const std::string digits = text();
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
  return error == std::errc() && end == digits.data() + digits.size() ? number : 0;
}

double JsonView::real() const {
  if (value_ == nullptr || !value_->is_number()) return std::nan("");
  return value_->get<double>();
}

std::optional<common::TimePoint> JsonView::time() const {
  if (value_ == nullptr) return std::nullopt;
  if (value_->is_number()) return from_seconds(value_->get<double>());
  if (!value_->is_string()) return std::nullopt;
  const std::string text(trim(value_->get<std::string>()));
  if (auto time = common::parse_rfc3339(text)) return time;
  double seconds = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), seconds);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return from_seconds(seconds);
}

std::string JsonView::need_text() const {
  std::string value = text();
  if (value.empty()) complain(value_ == nullptr ? "missing" : "has to be a text");
  return value;
}

common::TimePoint JsonView::need_time() const {
  const auto value = time();
  if (!value) complain(value_ == nullptr ? "missing" : "is not a time");
  return value.value_or(common::TimePoint());
}

void JsonView::complain(std::string_view reason) const {
  if (!*problem_) *problem_ = (place_.empty() ? "" : place_ + ": ") + std::string(reason);
}

common::Result<nlohmann::json> parse_json(std::string_view text) {
  try {
    return nlohmann::json::parse(text);
  } catch (const nlohmann::json::exception& error) {
    // "[json.exception.parse_error.101] parse error at …": the tag says nothing to a person.
    std::string_view reason = error.what();
    if (const auto end = reason.find("] "); end != std::string_view::npos)
      reason.remove_prefix(end + 2);
    return common::Problem{"not JSON: " + std::string(reason.substr(0, 200))};
  }
}

}  // namespace ipmit::events
