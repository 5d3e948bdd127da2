// SPDX-License-Identifier: Apache-2.0
#include "schema/sql_row.h"

#include <limits>

namespace ipmit::schema {
namespace {

using common::Problem;
using common::Result;
using policy::DomainPattern;
using policy::Exemption;
using policy::IpPrefix;
using policy::Mitigation;
using policy::RateLimit;
using policy::SaslUser;
using policy::Target;
using policy::TimePoint;

using MaybeProblem = std::optional<Problem>;

template <typename Value, typename Parse>
MaybeProblem read_lines(const char* column, std::string_view lines, Parse parse,
                        std::vector<Value>& out) {
  while (!lines.empty()) {
    const std::size_t end = std::min(lines.find('\n'), lines.size());
    auto parsed = parse(lines.substr(0, end));
    if (!parsed) return Problem{std::string(column) + ": " + parsed.problem()};
    out.push_back(std::move(parsed).value());
    lines.remove_prefix(std::min(end + 1, lines.size()));
  }
  return std::nullopt;
}

template <typename Enum>
MaybeProblem read_word(const char* column, std::string_view text, std::optional<Enum> parsed,
                       Enum& out) {
  if (!parsed) return Problem{std::string(column) + ": unknown value \"" + std::string(text) + '"'};
  out = *parsed;
  return std::nullopt;
}

std::optional<TimePoint> to_time(std::optional<std::int64_t> ms) {
  if (!ms) return std::nullopt;
  return TimePoint(common::Duration(*ms));
}

MaybeProblem read_number(const char* column, std::int64_t value, std::uint32_t& out) {
  if (value < 0 || value > std::numeric_limits<std::uint32_t>::max())
    return Problem{std::string(column) + ": out of range"};
  out = static_cast<std::uint32_t>(value);
  return std::nullopt;
}

MaybeProblem read_rate(const MitigationRow& row, Mitigation& out) {
  if (!row.rate_limit) return std::nullopt;
  RateLimit rate;
  if (auto bad = read_number("rate_limit", *row.rate_limit, rate.limit)) return bad;
  if (auto bad = read_number("rate_burst", row.rate_burst.value_or(*row.rate_limit), rate.burst))
    return bad;
  rate.period = common::Duration(row.rate_period_ms.value_or(0));
  if (auto bad =
          read_word("rate_unit", row.rate_unit, policy::parse_rate_unit(row.rate_unit), rate.unit))
    return bad;
  if (!row.rate_per.empty())
    if (auto bad =
            read_word("rate_per", row.rate_per, policy::parse_rate_key(row.rate_per), rate.per))
      return bad;
  out.rate_limit = rate;
  return std::nullopt;
}

MaybeProblem read_columns(const MitigationRow& row, Mitigation& out) {
  if (auto bad = read_word("origin", row.origin, policy::parse_origin(row.origin), out.origin))
    return bad;
  if (auto bad = read_word("action", row.action, policy::parse_action(row.action), out.action))
    return bad;
  if (auto bad = read_word("mode", row.mode, policy::parse_mode(row.mode), out.mode)) return bad;
  if (auto bad = read_lines("target", row.targets, &Target::parse, out.targets)) return bad;
  if (auto bad = read_lines("sender_domains", row.sender_domains, &DomainPattern::parse,
                            out.scope.sender_domains))
    return bad;
  if (auto bad =
          read_lines("sasl_users", row.sasl_users, &policy::parse_sasl_user, out.scope.sasl_users))
    return bad;
  if (auto bad = read_lines("recipient_domains", row.recipient_domains, &DomainPattern::parse,
                            out.scope.recipient_domains))
    return bad;
  if (row.priority < INT16_MIN || row.priority > INT16_MAX)
    return Problem{"priority: out of range"};
  return read_rate(row, out);
}

template <typename Entries, typename Text>
std::string join_lines(const Entries& entries, Text text_of) {
  std::string lines;
  for (const auto& entry : entries) {
    if (!lines.empty()) lines += '\n';
    lines += text_of(entry);
  }
  return lines;
}

void add_covering_domains(const DomainPattern& pattern, std::vector<std::string>& out) {
  if (pattern.domain().is_literal()) return;
  const std::string& name = pattern.domain().text();
  for (auto dot = name.find('.'); dot != std::string::npos; dot = name.find('.', dot + 1))
    out.push_back("domain:*" + name.substr(dot));
}

}  // namespace

Result<Mitigation> to_mitigation(const MitigationRow& row) {
  Mitigation out;
  out.name = row.name;
  if (auto bad = read_columns(row, out)) return std::move(*bad);
  out.reply_code = row.reply_code;
  out.reply_enhanced = row.reply_enhanced;
  out.reply_text = row.reply_text;
  out.reroute_transport = row.reroute_transport;
  out.priority = static_cast<int>(row.priority);
  out.starts = to_time(row.starts_ms);
  out.ends = to_time(row.ends_ms);
  out.reason = row.reason;
  out.evidence = row.evidence;
  out.revision = static_cast<std::uint64_t>(row.revision);
  policy::canonicalise(out);
  if (auto bad = policy::validate(out)) return std::move(*bad);
  return out;
}

Result<Exemption> to_exemption(std::string_view target, std::string_view reason,
                               std::optional<std::int64_t> ends_ms, std::int64_t revision) {
  auto parsed = Target::parse(target);
  if (!parsed) return Problem{"target: " + parsed.problem()};
  Exemption out{std::move(parsed).value(), std::string(reason), to_time(ends_ms),
                static_cast<std::uint64_t>(revision)};
  if (auto bad = policy::validate(out)) return std::move(*bad);
  return out;
}

std::string to_lines(const std::vector<DomainPattern>& patterns) {
  return join_lines(patterns, [](const DomainPattern& pattern) { return pattern.to_string(); });
}

std::string to_lines(const std::vector<SaslUser>& users) {
  return join_lines(users, [](const SaslUser& user) { return user.name; });
}

std::vector<std::string> covering_targets(const Target& target) {
  std::vector<std::string> texts{target.to_string()};
  if (const IpPrefix* prefix = target.prefix()) {
    for (int length = prefix->length() - 1; length > 0; --length)
      texts.push_back(IpPrefix::of(prefix->address(), length).to_string());
  } else if (const DomainPattern* pattern = target.domain()) {
    add_covering_domains(*pattern, texts);
  }
  return texts;
}

}  // namespace ipmit::schema
