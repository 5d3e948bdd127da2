// SPDX-License-Identifier: Apache-2.0
#include "schema/redis_record.h"

#include <algorithm>
#include <charconv>
#include <optional>

namespace ipmit::schema {
namespace {

using common::Problem;
using common::Result;
using policy::DomainPattern;
using policy::Exemption;
using policy::Mitigation;
using policy::RateLimit;
using policy::SaslUser;
using policy::Target;

constexpr std::string_view kSchema = "1";

template <typename Entries, typename Text>
std::string join_lines(const Entries& entries, Text text_of) {
  std::string lines;
  for (const auto& entry : entries) {
    if (!lines.empty()) lines += '\n';
    lines += text_of(entry);
  }
  return lines;
}

std::string join_domains(const std::vector<DomainPattern>& patterns) {
  return join_lines(patterns, [](const DomainPattern& pattern) { return pattern.to_string(); });
}

// Calls `take` with each line until it returns a Problem.
template <typename Take>
std::optional<Problem> each_line(std::string_view lines, Take take) {
  for (;;) {
    const std::size_t end = lines.find('\n');
    if (auto problem = take(lines.substr(0, end))) return problem;
    if (end == std::string_view::npos) return std::nullopt;
    lines.remove_prefix(end + 1);
  }
}

template <typename Value, typename Parsed>
std::optional<Problem> set_known(Value& out, const Parsed& parsed, std::string_view text) {
  if (!parsed) return Problem{"unknown value \"" + std::string(text) + "\""};
  out = *parsed;
  return std::nullopt;
}

template <typename Number>
std::optional<Problem> set_number(Number& out, std::string_view text) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  if (error != std::errc() || end != text.data() + text.size())
    return Problem{"bad number \"" + std::string(text) + "\""};
  return std::nullopt;
}

std::optional<Problem> set_text(std::string& out, std::string_view text) {
  out = text;
  return std::nullopt;
}

std::optional<Problem> add_domains(std::vector<DomainPattern>& out, std::string_view lines) {
  return each_line(lines, [&](std::string_view line) -> std::optional<Problem> {
    auto pattern = DomainPattern::parse(line);
    if (!pattern) return Problem{pattern.problem()};
    out.push_back(std::move(pattern).value());
    return std::nullopt;
  });
}

std::optional<Problem> add_targets(std::vector<Target>& out, std::string_view lines) {
  return each_line(lines, [&](std::string_view line) -> std::optional<Problem> {
    auto target = Target::parse(line);
    if (!target) return Problem{target.problem()};
    out.push_back(std::move(target).value());
    return std::nullopt;
  });
}

std::optional<Problem> add_users(std::vector<SaslUser>& out, std::string_view lines) {
  return each_line(lines, [&](std::string_view line) -> std::optional<Problem> {
    auto user = policy::parse_sasl_user(line);
    if (!user) return Problem{user.problem()};
    out.push_back(std::move(user).value());
    return std::nullopt;
  });
}

std::optional<Problem> check_schema(std::string_view text) {
  if (text == kSchema) return std::nullopt;
  return Problem{"is \"" + std::string(text) + "\", this program reads " + std::string(kSchema)};
}

RateLimit& rate_of(Mitigation& rule) {
  return rule.rate_limit ? *rule.rate_limit : rule.rate_limit.emplace();
}

template <typename Record>
struct Field {
  std::string_view name;
  std::optional<Problem> (*set)(Record& record, std::string_view text);
};

using Text = std::string_view;
using MaybeProblem = std::optional<Problem>;

// Those that every record has stand first: the table is searched from the front.
constexpr Field<Mitigation> kMitigationFields[] = {
    {"schema", [](Mitigation&, Text t) { return check_schema(t); }},
    {"origin",
     [](Mitigation& m, Text t) { return set_known(m.origin, policy::parse_origin(t), t); }},
    {"targets", [](Mitigation& m, Text t) { return add_targets(m.targets, t); }},
    {"action",
     [](Mitigation& m, Text t) { return set_known(m.action, policy::parse_action(t), t); }},
    {"reason", [](Mitigation& m, Text t) { return set_text(m.reason, t); }},
    {"revision", [](Mitigation& m, Text t) { return set_number(m.revision, t); }},
    {"ends", [](Mitigation& m, Text t) { return set_known(m.ends, common::parse_rfc3339(t), t); }},
    {"starts",
     [](Mitigation& m, Text t) { return set_known(m.starts, common::parse_rfc3339(t), t); }},
    {"limit", [](Mitigation& m, Text t) { return set_number(rate_of(m).limit, t); }},
    {"period", [](Mitigation& m,
                  Text t) { return set_known(rate_of(m).period, common::parse_duration(t), t); }},
    {"burst", [](Mitigation& m, Text t) { return set_number(rate_of(m).burst, t); }},
    {"unit", [](Mitigation& m,
                Text t) { return set_known(rate_of(m).unit, policy::parse_rate_unit(t), t); }},
    {"per",
     [](Mitigation& m, Text t) { return set_known(rate_of(m).per, policy::parse_rate_key(t), t); }},
    {"mode", [](Mitigation& m, Text t) { return set_known(m.mode, policy::parse_mode(t), t); }},
    {"priority", [](Mitigation& m, Text t) { return set_number(m.priority, t); }},
    {"sender_domains",
     [](Mitigation& m, Text t) { return add_domains(m.scope.sender_domains, t); }},
    {"sasl_users", [](Mitigation& m, Text t) { return add_users(m.scope.sasl_users, t); }},
    {"recipient_domains",
     [](Mitigation& m, Text t) { return add_domains(m.scope.recipient_domains, t); }},
    {"reply_code", [](Mitigation& m, Text t) { return set_text(m.reply_code, t); }},
    {"reply_enhanced", [](Mitigation& m, Text t) { return set_text(m.reply_enhanced, t); }},
    {"reply_text", [](Mitigation& m, Text t) { return set_text(m.reply_text, t); }},
    {"transport", [](Mitigation& m, Text t) { return set_text(m.reroute_transport, t); }},
};

constexpr Field<Exemption> kExemptionFields[] = {
    {"schema", [](Exemption&, Text t) { return check_schema(t); }},
    {"reason", [](Exemption& e, Text t) { return set_text(e.reason, t); }},
    {"revision", [](Exemption& e, Text t) { return set_number(e.revision, t); }},
    {"ends", [](Exemption& e, Text t) { return set_known(e.ends, common::parse_rfc3339(t), t); }},
};

template <typename Record, std::size_t kSize>
MaybeProblem set_fields(const Field<Record> (&table)[kSize], Record& record,
                        const FieldViews& fields) {
  bool has_schema = false;
  for (const auto& [name, text] : fields) {
    const auto* field =
        std::find_if(std::begin(table), std::end(table),
                     [wanted = name](const auto& known) { return known.name == wanted; });
    if (field == std::end(table)) return Problem{std::string(name) + ": unknown field"};
    if (const auto problem = field->set(record, text))
      return Problem{std::string(name) + ": " + problem->reason};
    has_schema = has_schema || field == std::begin(table);
  }
  if (!has_schema) return Problem{"schema: missing"};
  return std::nullopt;
}

void add(Fields& fields, std::string_view name, std::string text) {
  if (!text.empty()) fields.emplace_back(name, std::move(text));
}

}  // namespace

Fields to_fields(const Mitigation& rule) {
  Fields fields;
  add(fields, "schema", std::string(kSchema));
  add(fields, "origin", std::string(to_string(rule.origin)));
  add(fields, "targets",
      join_lines(rule.targets, [](const Target& target) { return target.to_string(); }));
  add(fields, "action", std::string(to_string(rule.action)));
  add(fields, "reason", rule.reason);
  add(fields, "revision", std::to_string(rule.revision));
  if (rule.ends) add(fields, "ends", common::to_rfc3339(*rule.ends));
  if (rule.starts) add(fields, "starts", common::to_rfc3339(*rule.starts));
  if (rule.rate_limit) {
    add(fields, "limit", std::to_string(rule.rate_limit->limit));
    add(fields, "period", common::to_duration_text(rule.rate_limit->period));
    add(fields, "burst", std::to_string(rule.rate_limit->burst));
    add(fields, "unit", std::string(to_string(rule.rate_limit->unit)));
    add(fields, "per", std::string(to_string(rule.rate_limit->per)));
  }
  if (rule.mode != policy::Mode::kEnforce) add(fields, "mode", std::string(to_string(rule.mode)));
  if (rule.priority != 0) add(fields, "priority", std::to_string(rule.priority));
  add(fields, "sender_domains", join_domains(rule.scope.sender_domains));
  add(fields, "sasl_users",
      join_lines(rule.scope.sasl_users, [](const SaslUser& user) { return user.name; }));
  add(fields, "recipient_domains", join_domains(rule.scope.recipient_domains));
  add(fields, "reply_code", rule.reply_code);
  add(fields, "reply_enhanced", rule.reply_enhanced);
  add(fields, "reply_text", rule.reply_text);
  add(fields, "transport", rule.reroute_transport);
  return fields;
}

Fields to_fields(const Exemption& exemption) {
  Fields fields;
  add(fields, "schema", std::string(kSchema));
  add(fields, "reason", exemption.reason);
  add(fields, "revision", std::to_string(exemption.revision));
  if (exemption.ends) add(fields, "ends", common::to_rfc3339(*exemption.ends));
  return fields;
}

Result<Mitigation> mitigation_from_fields(std::string_view name, const FieldViews& fields) {
  Mitigation rule;
  rule.name = name;
  if (auto problem = set_fields(kMitigationFields, rule, fields)) return *problem;
  if (auto problem = policy::validate(rule)) return *problem;
  return rule;
}

Result<Exemption> exemption_from_fields(std::string_view target, const FieldViews& fields) {
  auto parsed = Target::parse(target);
  if (!parsed) return Problem{parsed.problem()};
  Exemption exemption{std::move(parsed).value(), "", std::nullopt, 0};
  if (auto problem = set_fields(kExemptionFields, exemption, fields)) return *problem;
  if (auto problem = policy::validate(exemption)) return *problem;
  return exemption;
}

}  // namespace ipmit::schema
