// SPDX-License-Identifier: Apache-2.0
#include "schema/json_members.h"

namespace ipmit::schema {
namespace {

using nlohmann::json;

const json kNothing = json::object();

}  // namespace

common::Result<json> parse_json_object(std::string_view text) {
  std::vector<std::set<std::string>> seen;  // the members of each object still open
  std::string twin;
  const auto watch = [&](int, json::parse_event_t event, json& parsed) {
    if (event == json::parse_event_t::object_start) seen.emplace_back();
    if (event == json::parse_event_t::object_end) seen.pop_back();
    if (event == json::parse_event_t::key) {
      const auto name = parsed.get<std::string>();
      if (!seen.back().insert(name).second && twin.empty()) twin = name;
    }
    return true;
  };
  try {
    json value = json::parse(text, watch);
    if (!twin.empty()) return common::Problem{twin + ": comes twice"};
    if (!value.is_object()) return common::Problem{"must be a JSON object"};
    return value;
  } catch (const json::exception& error) {
    // "[json.exception.parse_error.101] parse error at line 1, column 2: …": the tag means nothing
    // to the person who wrote the text.
    std::string_view reason = error.what();
    if (const auto end = reason.find("] "); end != std::string_view::npos)
      reason.remove_prefix(end + 2);
    return common::Problem{"not JSON: " + std::string(reason)};
  }
}

const json* JsonMembers::find(const char* member) {
  known_.insert(member);
  if (problem_) return nullptr;
  const auto found = object_.find(member);
  return found == object_.end() || found->is_null() ? nullptr : &*found;
}

bool JsonMembers::has(const char* member) {
  return find(member) != nullptr;
}

void JsonMembers::complain(std::string_view member, std::string reason) {
  if (!problem_) problem_ = common::Problem{path_ + std::string(member) + ": " + std::move(reason)};
}

std::string JsonMembers::text(const char* member) {
  const json* value = find(member);
  if (value == nullptr) return {};
  if (value->is_string()) return value->get<std::string>();
  complain(member, "must be a text");
  return {};
}

std::int64_t JsonMembers::integer(const char* member, std::int64_t least, std::int64_t most,
                                  std::int64_t otherwise) {
  const json* value = find(member);
  if (value == nullptr) return otherwise;
  const bool fits = value->is_number_unsigned()
                        ? value->get<std::uint64_t>() <= static_cast<std::uint64_t>(INT64_MAX)
                        : value->is_number_integer();
  const std::int64_t number = fits ? value->get<std::int64_t>() : 0;
  if (fits && least <= number && number <= most) return number;
  complain(member,
           "must be a whole number from " + std::to_string(least) + " to " + std::to_string(most));
  return otherwise;
}

std::uint64_t JsonMembers::natural(const char* member) {
  const json* value = find(member);
  if (value == nullptr) return 0;
  if (value->is_number_unsigned()) return value->get<std::uint64_t>();
  complain(member, "must be a whole number");
  return 0;
}

std::optional<common::TimePoint> JsonMembers::time(const char* member) {
  if (!has(member)) return std::nullopt;
  const std::string value = text(member);
  const auto parsed = common::parse_rfc3339(value);
  if (!parsed)
    complain(member, "must be a time in UTC or with an offset, like 2026-11-25T18:00:00Z");
  return parsed;
}

std::optional<common::Duration> JsonMembers::duration(const char* member) {
  if (!has(member)) return std::nullopt;
  const std::string value = text(member);
  const auto parsed = common::parse_duration(value);
  if (!parsed) complain(member, "must be a time span with unit, like 90s, 15m, 1h30m or 2d");
  return parsed;
}

std::vector<std::string> JsonMembers::texts(const char* member) {
  const json* value = find(member);
  if (value == nullptr) return {};
  std::vector<std::string> entries;
  if (value->is_array()) {
    for (const json& entry : *value) {
      if (!entry.is_string()) break;
      entries.push_back(entry.get<std::string>());
    }
    if (entries.size() == value->size()) return entries;
  }
  complain(member, "must be a list of texts");
  return {};
}

JsonMembers JsonMembers::object(const char* member) {
  const json* value = find(member);
  if (value != nullptr && !value->is_object()) {
    complain(member, "must be an object");
    value = nullptr;
  }
  return JsonMembers(value == nullptr ? kNothing : *value, problem_, path_ + member + ".");
}

void JsonMembers::finish() {
  for (const auto& [member, value] : object_.items())
    if (!known_.contains(member)) return complain(member, "unknown member");
}

}  // namespace ipmit::schema
