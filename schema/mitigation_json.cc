// SPDX-License-Identifier: Apache-2.0
#include "schema/mitigation_json.h"

#include <nlohmann/json.hpp>

#include "schema/json_members.h"

namespace ipmit::schema {
namespace {

using common::Problem;
using common::Result;
using nlohmann::ordered_json;
using policy::DomainPattern;
using policy::Exemption;
using policy::Mitigation;
using policy::RateLimit;
using policy::SaslUser;
using policy::Scope;
using policy::Target;

constexpr std::int64_t kMostRate = 1'000'000'000;  // of RateLimit::limit and burst
constexpr std::string_view kActions =
    "Observe, Reroute, Throttle, Defer, Quarantine, Reject, Discard";

template <typename Entries, typename Text>
void put_list(ordered_json& out, const char* member, const Entries& entries, Text text_of) {
  if (entries.empty()) return;
  ordered_json list = ordered_json::array();
  for (const auto& entry : entries) list.push_back(text_of(entry));
  out[member] = std::move(list);
}

std::string pattern_text(const DomainPattern& pattern) {
  return pattern.to_string();
}
std::string user_text(const SaslUser& user) {
  return user.name;
}
std::string target_text(const Target& target) {
  return target.to_string();
}

void put_text(ordered_json& out, const char* member, const std::string& text) {
  if (!text.empty()) out[member] = text;
}

void put_time(ordered_json& out, const char* member, const std::optional<common::TimePoint>& time) {
  if (time) out[member] = common::to_rfc3339(*time);
}

void put_object(ordered_json& out, const char* member, ordered_json object) {
  if (!object.empty()) out[member] = std::move(object);
}

ordered_json scope_object(const Scope& scope) {
  ordered_json out = ordered_json::object();
  put_list(out, "senderDomains", scope.sender_domains, pattern_text);
  put_list(out, "saslUsers", scope.sasl_users, user_text);
  put_list(out, "recipientDomains", scope.recipient_domains, pattern_text);
  return out;
}

ordered_json rate_limit_object(const RateLimit& rate) {
  return {{"limit", rate.limit},
          {"period", common::to_duration_text(rate.period)},
          {"burst", rate.burst},
          {"unit", policy::to_string(rate.unit)},
          {"per", policy::to_string(rate.per)}};
}

// Bytes that are no UTF-8 (evidence is free text) are replaced; everything else survives a round
// trip.
std::string dump(const ordered_json& object) {
  return object.dump(-1, ' ', false, ordered_json::error_handler_t::replace);
}

Scope read_scope(JsonMembers members) {
  Scope scope;
  scope.sender_domains = members.list<DomainPattern>("senderDomains", &DomainPattern::parse);
  scope.sasl_users = members.list<SaslUser>("saslUsers", &policy::parse_sasl_user);
  scope.recipient_domains = members.list<DomainPattern>("recipientDomains", &DomainPattern::parse);
  members.finish();
  return scope;
}

RateLimit read_rate_limit(JsonMembers members) {
  RateLimit rate;
  for (const char* member : {"limit", "period", "unit"})
    if (members.ok() && !members.has(member)) members.complain(member, "is missing");
  rate.limit = static_cast<std::uint32_t>(members.integer("limit", 1, kMostRate, 1));
  rate.period = members.duration("period").value_or(common::Duration(0));
  rate.burst = static_cast<std::uint32_t>(members.integer("burst", 1, kMostRate, rate.limit));
  rate.unit = members.choice("unit", policy::parse_rate_unit, rate.unit, "messages, recipients");
  rate.per = members.choice("per", policy::parse_rate_key, rate.per, "target, address");
  members.finish();
  return rate;
}

void read_reply(JsonMembers members, Mitigation& out) {
  out.reply_code = members.text("code");
  out.reply_enhanced = members.text("enhancedCode");
  out.reply_text = members.text("text");
  members.finish();
}

void read_reroute(JsonMembers members, Mitigation& out) {
  out.reroute_transport = members.text("transport");
  members.finish();
}

Mitigation read_mitigation(JsonMembers members) {
  Mitigation out;
  for (const char* member : {"name", "targets", "action", "reason"})
    if (members.ok() && !members.has(member)) members.complain(member, "is missing");
  out.name = members.text("name");
  out.origin = members.choice("origin", policy::parse_origin, out.origin,
                              "Manual, Detector, Database, Feed");
  out.targets = members.list<Target>("targets", &Target::parse);
  out.scope = read_scope(members.object("scope"));
  out.action = members.choice("action", policy::parse_action, out.action, kActions);
  out.mode = members.choice("mode", policy::parse_mode, out.mode, "Enforce, DryRun");
  if (members.has("rateLimit")) out.rate_limit = read_rate_limit(members.object("rateLimit"));
  read_reply(members.object("reply"), out);
  read_reroute(members.object("reroute"), out);
  out.priority = static_cast<int>(members.integer("priority", -1000, 1000, 0));
  out.starts = members.time("starts");
  out.ends = members.time("ends");
  out.reason = members.text("reason");
  out.evidence = members.text("evidence");
  out.revision = members.natural("revision");
  members.finish();
  return out;
}

}  // namespace

std::string to_json(const Mitigation& mitigation) {
  ordered_json out = ordered_json::object();
  out["name"] = mitigation.name;
  out["origin"] = policy::to_string(mitigation.origin);
  put_list(out, "targets", mitigation.targets, target_text);
  put_object(out, "scope", scope_object(mitigation.scope));
  out["action"] = policy::to_string(mitigation.action);
  out["mode"] = policy::to_string(mitigation.mode);
  if (mitigation.rate_limit) out["rateLimit"] = rate_limit_object(*mitigation.rate_limit);
  ordered_json reply = ordered_json::object();
  put_text(reply, "code", mitigation.reply_code);
  put_text(reply, "enhancedCode", mitigation.reply_enhanced);
  put_text(reply, "text", mitigation.reply_text);
  put_object(out, "reply", std::move(reply));
  if (!mitigation.reroute_transport.empty())
    out["reroute"] = {{"transport", mitigation.reroute_transport}};
  if (mitigation.priority != 0) out["priority"] = mitigation.priority;
  put_time(out, "starts", mitigation.starts);
  put_time(out, "ends", mitigation.ends);
  out["reason"] = mitigation.reason;
  put_text(out, "evidence", mitigation.evidence);
  if (mitigation.revision != 0) out["revision"] = mitigation.revision;
  return dump(out);
}

std::string to_json(const Exemption& exemption) {
  ordered_json out = ordered_json::object();
  out["target"] = exemption.target.to_string();
  out["reason"] = exemption.reason;
  put_time(out, "ends", exemption.ends);
  if (exemption.revision != 0) out["revision"] = exemption.revision;
  return dump(out);
}

Result<Mitigation> mitigation_from_json(std::string_view text) {
  const auto object = parse_json_object(text);
  if (!object) return Problem{object.problem()};
  JsonMembers::Problem problem;
  Mitigation mitigation = read_mitigation(JsonMembers(*object, problem));
  if (!problem) {
    policy::canonicalise(mitigation);
    problem = policy::validate(mitigation);
  }
  if (problem) return std::move(*problem);
  return mitigation;
}

Result<Exemption> exemption_from_json(std::string_view text) {
  const auto object = parse_json_object(text);
  if (!object) return Problem{object.problem()};
  JsonMembers::Problem problem;
  JsonMembers members(*object, problem);
  for (const char* member : {"target", "reason"})
    if (members.ok() && !members.has(member)) members.complain(member, "is missing");
  const std::string target_member = members.text("target");
  const std::string reason = members.text("reason");
  const auto ends = members.time("ends");
  const std::uint64_t revision = members.natural("revision");
  members.finish();
  if (problem) return std::move(*problem);
  auto target = Target::parse(target_member);
  if (!target) return Problem{"target: " + target.problem()};
  Exemption exemption{std::move(target).value(), reason, ends, revision};
  if ((problem = policy::validate(exemption))) return std::move(*problem);
  return exemption;
}

}  // namespace ipmit::schema
