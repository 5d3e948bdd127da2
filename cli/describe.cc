// SPDX-License-Identifier: Apache-2.0
#include "cli/describe.h"

#include <ostream>

#include "cli/text_table.h"

namespace ipmit::cli {
namespace {

template <typename T, typename ToText>
std::string join(const std::vector<T>& values, ToText to_text) {
  std::string out;
  for (const T& value : values) {
    if (!out.empty()) out += ", ";
    out += to_text(value);
  }
  return out;
}

std::string pattern_text(const policy::DomainPattern& pattern) {
  return pattern.to_string();
}
std::string user_text(const policy::SaslUser& user) {
  return user.name;
}

std::string reply_text(const policy::Mitigation& mitigation) {
  std::string out;
  for (const std::string* part :
       {&mitigation.reply_code, &mitigation.reply_enhanced, &mitigation.reply_text}) {
    if (part->empty()) continue;
    if (!out.empty()) out += ' ';
    out += *part;
  }
  return out;
}

}  // namespace

std::string describe_limit(const policy::RateLimit& limit) {
  std::string out = std::to_string(limit.limit) + " " + std::string(to_string(limit.unit)) +
                    " per " + common::to_duration_text(limit.period) + ", burst " +
                    std::to_string(limit.burst);
  if (limit.per == policy::RateKey::kAddress) out += ", for each address";
  return out;
}

std::string describe_action(const policy::Mitigation& mitigation) {
  std::string out(to_string(mitigation.action));
  if (mitigation.rate_limit) out += " to " + describe_limit(*mitigation.rate_limit);
  if (!mitigation.reroute_transport.empty()) out += " to " + mitigation.reroute_transport;
  if (mitigation.mode == policy::Mode::kDryRun) out += " (DryRun)";
  return out;
}

std::string describe_targets(const std::vector<policy::Target>& targets, std::size_t most) {
  if (targets.size() <= most)
    return join(targets, [](const policy::Target& target) { return target.to_string(); });
  const std::vector<policy::Target> first(targets.begin(),
                                          targets.begin() + static_cast<std::ptrdiff_t>(most));
  return describe_targets(first, most) + " and " + std::to_string(targets.size() - most) + " more";
}

std::string describe_scope(const policy::Scope& scope) {
  std::string out;
  const auto add = [&](std::string_view words, const std::string& list) {
    if (list.empty()) return;
    if (!out.empty()) out += "; ";
    out += std::string(words) + " " + list;
  };
  add("from", join(scope.sender_domains, pattern_text));
  add("by user", join(scope.sasl_users, user_text));
  add("to", join(scope.recipient_domains, pattern_text));
  return out;
}

std::string rough_duration(Duration duration) {
  using std::chrono::floor;
  Duration kept = duration;
  if (duration >= std::chrono::days(1))
    kept = floor<std::chrono::hours>(duration);
  else if (duration >= std::chrono::hours(1))
    kept = floor<std::chrono::minutes>(duration);
  else if (duration >= std::chrono::seconds(1))
    kept = floor<std::chrono::seconds>(duration);
  return common::to_duration_text(kept);
}

std::string describe_end(std::optional<TimePoint> ends, TimePoint now) {
  if (!ends) return "until released";
  const std::string when = common::to_short_utc(*ends);
  if (*ends <= now) return when + " (over)";
  return when + " (in " + rough_duration(*ends - now) + ")";
}

void print_mitigation(std::ostream& out, const policy::Mitigation& mitigation, TimePoint now) {
  TextTable table;
  const auto line = [&](const char* key, std::string value) {
    if (!value.empty()) table.add({key, std::move(value)});
  };
  line("action", describe_action(mitigation));
  line("targets", describe_targets(mitigation.targets, 20));
  line("scope", describe_scope(mitigation.scope));
  if (mitigation.starts && *mitigation.starts > now)
    line("starts", common::to_short_utc(*mitigation.starts) + " (in " +
                       rough_duration(*mitigation.starts - now) + ")");
  line("ends", describe_end(mitigation.ends, now));
  line("reply", reply_text(mitigation));
  if (mitigation.priority != 0) line("priority", std::to_string(mitigation.priority));
  line("origin", std::string(to_string(mitigation.origin)));
  line("reason", mitigation.reason);
  line("evidence", mitigation.evidence);
  if (mitigation.revision != 0) line("revision", std::to_string(mitigation.revision));
  table.print(out, "  ");
}

}  // namespace ipmit::cli
