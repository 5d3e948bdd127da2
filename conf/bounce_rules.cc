// SPDX-License-Identifier: Apache-2.0
#include "conf/bounce_rules.h"

#include <functional>
#include <optional>
#include <string>
#include <utility>

#include "conf/yaml_document.h"

namespace ipmit::conf {
namespace {

using policy::BounceRule;

struct Refused {
  int line;
  std::string reason;
};
using Refusal = std::optional<Refused>;

Refusal read_texts(const YamlNode& node, std::vector<std::string>& out) {
  if (node.kind == YamlNode::Kind::kScalar) {
    out.push_back(node.text);
    return std::nullopt;
  }
  if (node.kind != YamlNode::Kind::kList)
    return Refused{node.line,
                   "wants a text or a list of texts, not " + std::string(to_string(node.kind))};
  for (const YamlNode& item : node.items) {
    if (item.kind != YamlNode::Kind::kScalar)
      return Refused{item.line, "wants texts, not " + std::string(to_string(item.kind))};
    out.push_back(item.text);
  }
  return std::nullopt;
}

Refusal read_class(const YamlNode& node, policy::BounceClass& out) {
  const auto parsed = policy::parse_bounce_class(node.text);
  if (!parsed) return Refused{node.line, "\"" + node.text + "\" is not a class"};
  out = *parsed;
  return std::nullopt;
}

Refusal read_stages(const YamlNode& node, std::vector<policy::SmtpStage>& out) {
  std::vector<std::string> names;
  if (auto refused = read_texts(node, names)) return refused;
  for (const std::string& name : names) {
    const auto stage = policy::parse_smtp_stage(name);
    if (!stage) return Refused{node.line, "\"" + name + "\" is not a stage of SMTP"};
    out.push_back(*stage);
  }
  return std::nullopt;
}

Refusal read_member(const YamlMember& member, BounceRule& rule, bool& has_class) {
  const YamlNode& value = member.value;
  if (member.key == "text") return read_texts(value, rule.text);
  if (member.key == "not_text") return read_texts(value, rule.not_text);
  if (member.key == "url") return read_texts(value, rule.url);
  if (member.key == "host") return read_texts(value, rule.host);
  if (member.key == "status") return read_texts(value, rule.status);
  if (member.key == "reply") return read_texts(value, rule.reply);
  if (member.key == "stage") return read_stages(value, rule.stage);
  if (member.key == "confirm_status") return read_texts(value, rule.confirm_status);
  if (member.key == "confirm_stage") return read_stages(value, rule.confirm_stage);
  if (member.key == "class") {
    has_class = true;
    return read_class(value, rule.bounce_class);
  }
  if (member.key == "id") {
    rule.id = value.text;
    return std::nullopt;
  }
  return Refused{member.line, "unknown key \"" + member.key + "\""};
}

Refusal read_rule(const YamlNode& node, std::vector<BounceRule>& rules) {
  if (node.kind != YamlNode::Kind::kMap)
    return Refused{node.line, "a rule is a map with id and class"};
  BounceRule rule;
  rule.line = node.line;
  bool has_class = false;
  for (const YamlMember& member : node.members)
    if (auto refused = read_member(member, rule, has_class)) return refused;
  if (rule.id.empty()) return Refused{node.line, "a rule without id"};
  if (!has_class) return Refused{node.line, "rule " + rule.id + " has no class"};
  rules.push_back(std::move(rule));
  return std::nullopt;
}

Refusal read_document(const YamlNode& document, std::vector<BounceRule>& rules) {
  const YamlNode* list = document.find("rules");
  if (list == nullptr || list->kind != YamlNode::Kind::kList || document.members.size() != 1)
    return Refused{document.line, "wants one key \"rules\" with a list"};
  if (list->items.empty()) return Refused{list->line, "no rules in it"};
  for (const YamlNode& node : list->items)
    if (auto refused = read_rule(node, rules)) return refused;
  return std::nullopt;
}

}  // namespace

common::Result<std::vector<BounceRule>> parse_bounce_rules(std::string_view text,
                                                           std::string_view name) {
  auto documents = parse_yaml(text, name);
  if (!documents) return common::Problem{documents.problem()};
  std::vector<BounceRule> rules;
  const Refusal refused = documents->size() == 1 ? read_document(documents->front(), rules)
                                                 : Refused{1, "wants one document"};
  if (refused)
    return common::Problem{std::string(name) + ":" + std::to_string(refused->line) + ": " +
                           refused->reason};
  return rules;
}

}  // namespace ipmit::conf
