// SPDX-License-Identifier: Apache-2.0
#include "cli/add_options.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <random>

namespace ipmit::cli {
namespace {

using common::Duration;
using common::Problem;
using common::TimePoint;
using policy::Mitigation;

Problem bad(std::string_view option, const std::string& reason) {
  return Problem{std::string(option) + ": " + reason};
}

std::optional<std::uint32_t> parse_count(std::string_view text) {
  std::uint32_t count = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), count);
  if (error != std::errc{} || end != text.data() + text.size() || count == 0) return std::nullopt;
  return count;
}

std::optional<Problem> read_targets(const AddOptions& options, Mitigation& mitigation) {
  if (options.targets.empty())
    return bad("--target", "give at least one address, range, domain: or user:");
  for (const std::string& text : options.targets) {
    auto target = policy::Target::parse(text);
    if (!target) return bad("--target", target.problem());
    mitigation.targets.push_back(*std::move(target));
  }
  return std::nullopt;
}

template <typename T, typename Parse>
std::optional<Problem> read_list(std::string_view option, const std::vector<std::string>& texts,
                                 Parse parse, std::vector<T>& out) {
  for (const std::string& text : texts) {
    auto value = parse(text);
    if (!value) return bad(option, value.problem());
    out.push_back(*std::move(value));
  }
  return std::nullopt;
}

std::optional<Problem> read_scope(const AddOptions& options, policy::Scope& scope) {
  if (auto problem = read_list("--scope-sender-domain", options.scope_sender_domains,
                               policy::DomainPattern::parse, scope.sender_domains))
    return problem;
  if (auto problem =
          read_list("--scope-user", options.scope_users, policy::parse_sasl_user, scope.sasl_users))
    return problem;
  return read_list("--scope-recipient-domain", options.scope_recipient_domains,
                   policy::DomainPattern::parse, scope.recipient_domains);
}

std::optional<Problem> read_limit(const AddOptions& options, Mitigation& mitigation) {
  if (mitigation.action != policy::Action::kThrottle) {
    for (const auto& [name, text] :
         {std::pair("--limit", &options.limit), std::pair("--unit", &options.unit),
          std::pair("--burst", &options.burst), std::pair("--per", &options.per)})
      if (!text->empty()) return bad(name, "goes with --action throttle only");
    return std::nullopt;
  }
  policy::RateLimit limit;
  if (options.limit.empty()) return bad("--limit", "--action throttle needs one, such as 100/1h");
  const auto slash = options.limit.find('/');
  const auto count = parse_count(std::string_view(options.limit).substr(0, slash));
  const auto period =
      slash == std::string::npos
          ? std::nullopt
          : common::parse_duration(std::string_view(options.limit).substr(slash + 1));
  if (!count || !period)
    return bad("--limit", "wants NUMBER/DURATION such as 100/1h, has \"" + options.limit + "\"");
  limit.limit = *count;
  limit.period = *period;

  if (options.unit.empty())
    return bad("--unit", "--action throttle needs one: messages or recipients");
  const auto unit = policy::parse_rate_unit(options.unit);
  if (!unit) return bad("--unit", "wants messages or recipients, has \"" + options.unit + "\"");
  limit.unit = *unit;

  const auto burst = options.burst.empty() ? count : parse_count(options.burst);
  if (!burst) return bad("--burst", "wants a whole number from 1, has \"" + options.burst + "\"");
  limit.burst = *burst;

  const auto per =
      options.per.empty() ? policy::RateKey::kTarget : policy::parse_rate_key(options.per);
  if (!per) return bad("--per", "wants target or address, has \"" + options.per + "\"");
  limit.per = *per;
  mitigation.rate_limit = limit;
  return std::nullopt;
}

std::optional<Problem> read_end(const AddOptions& options, TimePoint now, Mitigation& mitigation) {
  const int given = (options.duration.empty() ? 0 : 1) + (options.until.empty() ? 0 : 1) +
                    (options.forever ? 1 : 0);
  if (given > 1) return Problem{"--for, --until and --forever exclude one another, give one"};
  if (options.forever) return std::nullopt;
  if (!options.until.empty()) {
    const auto end = common::parse_rfc3339(options.until);
    if (!end)
      return bad("--until",
                 "wants a time such as 2026-11-25T18:00Z, has \"" + options.until + "\"");
    if (*end <= now) return bad("--until", options.until + " is over already");
    mitigation.ends = *end;
    return std::nullopt;
  }
  const auto life = options.duration.empty() ? std::optional(kDefaultLife)
                                             : common::parse_duration(options.duration);
  if (!life)
    return bad("--for", "wants a duration such as 2h or 1d12h, has \"" + options.duration + "\"");
  if (*life <= Duration(0)) return bad("--for", "has to be longer than 0s");
  mitigation.ends = now + *life;
  return std::nullopt;
}

// validate() names the members of the JSON; here people typed options.
Problem as_option(const Problem& problem) {
  constexpr std::array<std::pair<std::string_view, std::string_view>, 12> kOptions = {{
      {"name", "--name"},
      {"targets", "--target"},
      {"reason", "--reason"},
      {"priority", "--priority"},
      {"ends", "--for"},
      {"reply.code", "--reply-code"},
      {"reply.enhancedCode", "--reply-enhanced"},
      {"reply.text", "--reply-text"},
      {"reroute.transport", "--transport"},
      {"rateLimit.limit", "--limit"},
      {"rateLimit.period", "--limit"},
      {"rateLimit.burst", "--burst"},
  }};
  const auto colon = std::min(problem.reason.find(": "), problem.reason.size());
  for (const auto& [member, option] : kOptions)
    if (problem.reason.substr(0, colon) == member)
      return Problem{std::string(option) + problem.reason.substr(colon)};
  return problem;
}

bool covers_loopback(const policy::IpPrefix& prefix) {
  static const policy::IpPrefix v4 =
      policy::IpPrefix::of(policy::IpAddress::from_v4({127, 0, 0, 0}), 8);
  static const policy::IpPrefix v6 = policy::IpPrefix::of(*policy::IpAddress::parse("::1"), 128);
  return prefix.overlaps(v4) || prefix.overlaps(v6);
}

bool is_harmless(const Mitigation& mitigation) {
  return mitigation.action == policy::Action::kObserve || mitigation.mode == policy::Mode::kDryRun;
}

}  // namespace

common::Result<Mitigation> to_mitigation(const AddOptions& options, common::TimePoint now) {
  Mitigation mitigation;
  mitigation.name = options.name;
  if (options.action.empty())
    return bad("--action",
               "give one of observe, reroute, throttle, defer, quarantine, reject, discard");
  const auto action = policy::parse_action(options.action);
  if (!action)
    return bad("--action",
               "wants observe, reroute, throttle, defer, quarantine, reject or discard, has \"" +
                   options.action + "\"");
  mitigation.action = *action;
  if (options.dry_run) mitigation.mode = policy::Mode::kDryRun;
  if (auto problem = read_targets(options, mitigation)) return *problem;
  if (auto problem = read_scope(options, mitigation.scope)) return *problem;
  if (auto problem = read_limit(options, mitigation)) return *problem;
  if (auto problem = read_end(options, now, mitigation)) return *problem;
  if (auto problem = check_reason(options.reason)) return *problem;
  mitigation.priority = static_cast<int>(options.priority);
  mitigation.reply_code = options.reply_code;
  mitigation.reply_enhanced = options.reply_enhanced;
  mitigation.reply_text = options.reply_text;
  mitigation.reroute_transport = options.transport;
  mitigation.reason = options.reason;
  policy::canonicalise(mitigation);

  Mitigation named = mitigation;
  if (named.name.empty()) named.name = random_name();
  if (const auto problem = policy::validate(named)) return as_option(*problem);
  return mitigation;
}

std::string random_name() {
  constexpr std::string_view kLetters = "abcdefghijklmnopqrstuvwxyz234567";  // RFC 4648
  std::random_device random;
  std::uniform_int_distribution<std::size_t> pick(0, kLetters.size() - 1);
  std::string name = "mail/m-";
  for (int i = 0; i < 6; ++i) name += kLetters[pick(random)];
  return name;
}

std::optional<Problem> find_danger(const Mitigation& mitigation, bool force) {
  for (const policy::Target& target : mitigation.targets) {
    if (const policy::IpPrefix* prefix = target.prefix()) {
      if (covers_loopback(*prefix) && !is_harmless(mitigation))
        return Problem{target.to_string() +
                       ": covers loopback, by which this host's own programs send; use --dry-run "
                       "to count what would be hit"};
      const int shortest = prefix->is_v4() ? 8 : 32;
      if (prefix->length() < shortest && !force)
        return Problem{target.to_string() + ": a range wider than /" + std::to_string(shortest) +
                       " hits millions of senders; if that is meant, add --force"};
    } else if (const policy::DomainPattern* domain = target.domain()) {
      if (domain->domain().text().find('.') == std::string::npos && domain->subdomains() && !force)
        return Problem{target.to_string() +
                       ": covers a whole top-level domain; if that is meant, add --force"};
    }
  }
  return std::nullopt;
}

std::optional<Problem> check_reason(const std::string& reason) {
  if (reason.empty()) return bad("--reason", "say why, in one line: it goes to the audit");
  if (reason.size() > 500)
    return bad("--reason", "has " + std::to_string(reason.size()) + " bytes, allowed are 500");
  const bool control = std::any_of(reason.begin(), reason.end(), [](char c) {
    return static_cast<unsigned char>(c) < 0x20 || c == 0x7F;
  });
  if (control) return bad("--reason", "has to be one line without control characters");
  return std::nullopt;
}

}  // namespace ipmit::cli
