// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "policy/mitigation.h"
#include "policy/smtp_reply.h"
#include "policy/text.h"

namespace ipmit::policy {
namespace {

using common::Problem;
using Flaw = std::optional<Problem>;

constexpr std::size_t kMaxTargets = 1000;
constexpr std::size_t kMaxScope = 1000;
constexpr std::size_t kMaxName = 200;
constexpr std::size_t kMaxReason = 500;
constexpr std::size_t kMaxEvidence = 64 * 1024;
constexpr std::size_t kMaxTransport = 64;
constexpr std::uint32_t kMaxUnits = 1'000'000'000;
constexpr int kMaxPriority = 1000;
constexpr Duration kMinPeriod = std::chrono::seconds(1);
constexpr Duration kMaxPeriod = std::chrono::hours(24 * 31);

Flaw flaw(std::string_view field, std::string_view reason) {
  return Problem{std::string(field) + ": " + std::string(reason)};
}

bool is_alphanumeric(char c) {
  return (c >= 'a' && c <= 'z') || is_digit(c);
}

Flaw check_name(const std::string& name) {
  const bool sound = !name.empty() && name.size() <= kMaxName && is_alphanumeric(name.front()) &&
                     is_alphanumeric(name.back()) &&
                     std::all_of(name.begin(), name.end(), [](char c) {
                       return is_alphanumeric(c) || c == '.' || c == '-' || c == '_' || c == '/';
                     });
  if (sound) return std::nullopt;
  return flaw("name",
              "1 to 200 of a-z, 0-9, '.', '-', '_' and '/', a letter or digit at both ends");
}

// Values made without a parser: a range of everything, a user not in canonical form.
Flaw check_target(std::string_view field, const Target& target) {
  if (const IpPrefix* prefix = target.prefix(); prefix && prefix->length() == 0)
    return flaw(field, "this is every address there is");
  if (const SaslUser* user = target.user()) {
    const auto canonical = parse_sasl_user(user->name);
    if (!canonical) return flaw(field, canonical.problem());
    if (canonical->name != user->name) return flaw(field, "a SASL user is kept in lower case");
  }
  return std::nullopt;
}

Flaw check_targets(const std::vector<Target>& targets) {
  if (targets.empty()) return flaw("targets", "at least one is needed");
  if (targets.size() > kMaxTargets) return flaw("targets", "more than 1000");
  for (const Target& target : targets)
    if (Flaw found = check_target("targets", target)) return found;
  return std::nullopt;
}

Flaw check_scope(const Scope& scope) {
  if (scope.sender_domains.size() > kMaxScope) return flaw("scope.senderDomains", "more than 1000");
  if (scope.sasl_users.size() > kMaxScope) return flaw("scope.saslUsers", "more than 1000");
  if (scope.recipient_domains.size() > kMaxScope)
    return flaw("scope.recipientDomains", "more than 1000");
  for (const SaslUser& user : scope.sasl_users)
    if (Flaw found = check_target("scope.saslUsers", Target(user))) return found;
  return std::nullopt;
}

Flaw check_rate(const Mitigation& mitigation) {
  const bool wanted = mitigation.action == Action::kThrottle;
  if (wanted != mitigation.rate_limit.has_value())
    return flaw("rateLimit", wanted ? "needed with action Throttle" : "only with action Throttle");
  if (!wanted) return std::nullopt;
  const RateLimit& rate = *mitigation.rate_limit;
  const auto in_range = [](std::uint32_t units) { return units >= 1 && units <= kMaxUnits; };
  if (!in_range(rate.limit)) return flaw("rateLimit.limit", "must be from 1 to 1000000000");
  if (!in_range(rate.burst)) return flaw("rateLimit.burst", "must be from 1 to 1000000000");
  if (rate.period < kMinPeriod || rate.period > kMaxPeriod)
    return flaw("rateLimit.period", "must be from 1s to 31d");
  return std::nullopt;
}

Flaw check_text(std::string_view field, std::string_view text, std::size_t most) {
  if (text.size() > most) return flaw(field, "longer than " + std::to_string(most) + " bytes");
  if (!is_utf8(text)) return flaw(field, "not UTF-8");
  if (has_control(text)) return flaw(field, "must be one line without control characters");
  return std::nullopt;
}

// Either code may be left out; what is given must fit the action and the other one.
Flaw check_reply(const Mitigation& mitigation) {
  if (Flaw found = check_text("reply.text", mitigation.reply_text, SmtpReply::kMaxText))
    return found;
  const Action action = mitigation.action;
  const bool temporary = action == Action::kThrottle || action == Action::kDefer;
  if (mitigation.reply_code.empty() && mitigation.reply_enhanced.empty()) return std::nullopt;
  if (!temporary && action != Action::kReject)
    return flaw("reply", "only with action Throttle, Defer or Reject");
  const std::string wanted = temporary ? "4" : "5";
  const std::string code =
      mitigation.reply_code.empty() ? wanted + (temporary ? "51" : "50") : mitigation.reply_code;
  const std::string enhanced =
      mitigation.reply_enhanced.empty() ? wanted + ".7.1" : mitigation.reply_enhanced;
  if (code.substr(0, 1) != wanted)
    return flaw("reply.code",
                "action " + std::string(to_string(action)) + " needs a " + wanted + "yz code");
  if (auto reply = SmtpReply::make(code, enhanced, "x"); !reply)
    return flaw("reply", reply.problem());
  return std::nullopt;
}

Flaw check_reroute(const Mitigation& mitigation) {
  const std::string& transport = mitigation.reroute_transport;
  const bool wanted = mitigation.action == Action::kReroute;
  if (wanted != !transport.empty())
    return flaw("reroute.transport",
                wanted ? "needed with action Reroute" : "only with action Reroute");
  const bool plain = std::all_of(transport.begin(), transport.end(),
                                 [](char c) { return is_alphanumeric(c) || c == '-'; });
  if (!plain || transport.size() > kMaxTransport)
    return flaw("reroute.transport", "a name in master.cf: at most 64 of a-z, 0-9 and '-'");
  return std::nullopt;
}

Flaw check_reason(std::string_view reason) {
  if (trim(reason).empty()) return flaw("reason", "say why, in one line");
  return check_text("reason", reason, kMaxReason);
}

Flaw check_times(const Mitigation& mitigation) {
  if (mitigation.starts && mitigation.ends && *mitigation.ends <= *mitigation.starts)
    return flaw("ends", "must be after starts");
  return std::nullopt;
}

Flaw check_evidence(std::string_view evidence) {
  if (evidence.size() > kMaxEvidence) return flaw("evidence", "longer than 64 KiB");
  if (!is_utf8(evidence)) return flaw("evidence", "not UTF-8");
  return std::nullopt;
}

}  // namespace

Flaw validate(const Mitigation& mitigation) {
  if (Flaw found = check_name(mitigation.name)) return found;
  if (Flaw found = check_targets(mitigation.targets)) return found;
  if (Flaw found = check_scope(mitigation.scope)) return found;
  if (Flaw found = check_rate(mitigation)) return found;
  if (Flaw found = check_reply(mitigation)) return found;
  if (Flaw found = check_reroute(mitigation)) return found;
  if (mitigation.priority < -kMaxPriority || mitigation.priority > kMaxPriority)
    return flaw("priority", "must be from -1000 to 1000");
  if (Flaw found = check_times(mitigation)) return found;
  if (Flaw found = check_reason(mitigation.reason)) return found;
  return check_evidence(mitigation.evidence);
}

Flaw validate(const Exemption& exemption) {
  if (Flaw found = check_target("target", exemption.target)) return found;
  return check_reason(exemption.reason);
}

}  // namespace ipmit::policy
