// SPDX-License-Identifier: Apache-2.0
#include "events/bounce_rules.h"

#include <algorithm>
#include <cstdint>
#include <optional>
#include <set>
#include <unordered_map>
#include <utility>

#include "events/bounce_pattern.h"
#include "events/bounce_phrases.h"
#include "events/bounce_text.h"

namespace ipmit::events {
namespace {

using policy::BounceClass;
using policy::BounceRule;

constexpr std::size_t kMaxRules = 10000;

bool code_matches(std::string_view pattern, std::string_view code) {
  if (code.empty() || pattern == "none") return code.empty() && pattern == "none";
  if (pattern.ends_with('*')) {
    pattern.remove_suffix(1);
    if (pattern.starts_with('*')) return code.find(pattern.substr(1)) != std::string_view::npos;
    return code.starts_with(pattern);
  }
  if (pattern.starts_with('*')) return code.ends_with(pattern.substr(1));
  return code == pattern;
}

bool any_code_matches(const std::vector<std::string>& patterns, std::string_view code) {
  return patterns.empty() ||
         std::any_of(patterns.begin(), patterns.end(),
                     [&](const auto& pattern) { return code_matches(pattern, code); });
}

bool host_matches(std::string_view pattern, std::string_view host) {
  return host.ends_with(pattern) &&
         (host.size() == pattern.size() || host[host.size() - pattern.size() - 1] == '.');
}

bool conditions_hold(const BounceRule& rule, const BounceFacts& facts) {
  if (!any_code_matches(rule.status, facts.status) || !any_code_matches(rule.reply, facts.reply))
    return false;
  if (!rule.stage.empty() &&
      std::find(rule.stage.begin(), rule.stage.end(), facts.stage) == rule.stage.end())
    return false;
  return rule.host.empty() ||
         std::any_of(rule.host.begin(), rule.host.end(), [&](const auto& name) {
           return std::any_of(facts.hosts.begin(), facts.hosts.end(),
                              [&](const auto& host) { return host_matches(name, host); });
         });
}

bool is_confirmed(const BounceRule& rule, const BounceFacts& facts) {
  if (rule.confirm_status.empty() && rule.confirm_stage.empty()) return true;
  if (!rule.confirm_status.empty() && any_code_matches(rule.confirm_status, facts.status))
    return true;
  return std::find(rule.confirm_stage.begin(), rule.confirm_stage.end(), facts.stage) !=
         rule.confirm_stage.end();
}

std::optional<std::string> text_problem(const std::string& pattern) {
  if (pattern.find_first_not_of('*') == std::string::npos) return "empty text";
  if (to_lower(pattern) != pattern) return "text \"" + pattern + "\" is not lower case";
  if (pattern.find("  ") != std::string::npos)
    return "text \"" + pattern + "\" has two blanks, which no diagnostic text has after folding";
  return std::nullopt;
}

std::optional<std::string> code_problem(const std::string& pattern, std::size_t dots) {
  if (pattern.empty()) return "empty code";
  if (pattern == "none") return std::nullopt;
  const bool known = pattern.find_first_not_of("0123456789.*") == std::string::npos;
  const auto count = static_cast<std::size_t>(std::count(pattern.begin(), pattern.end(), '.'));
  if (known && (pattern.find('*') != std::string::npos || count == dots)) return std::nullopt;
  return "\"" + pattern + "\" is not a code such as " +
         (dots == 0 ? "550 or 55*" : "5.1.1 or 5.1.*");
}

std::optional<std::string> rule_problem(const BounceRule& rule) {
  if (rule.id.empty()) return "no id";
  if (rule.text.empty() && rule.url.empty() && rule.host.empty() && rule.status.empty() &&
      rule.reply.empty() && rule.stage.empty())
    return "no condition";
  for (const auto* list : {&rule.text, &rule.not_text, &rule.url})
    for (const auto& text : *list) {
      const std::vector<std::string> patterns = write_out(text);
      if (patterns.empty())
        return "text \"" + text + "\": braces are open or nested, or give more than 4096 texts";
      for (const auto& pattern : patterns)
        if (auto problem = text_problem(pattern)) return problem;
    }
  for (const auto* list : {&rule.status, &rule.confirm_status})
    for (const auto& pattern : *list)
      if (auto problem = code_problem(pattern, 2)) return problem;
  for (const auto& pattern : rule.reply)
    if (auto problem = code_problem(pattern, 0)) return problem;
  for (const auto& host : rule.host)
    if (host.empty() || to_lower(host) != host) return "host \"" + host + "\" is not lower case";
  return std::nullopt;
}

}  // namespace

struct BounceRules::Compiled {
  // The patterns a rule asks for, by number, in order.
  struct Wording {
    std::vector<std::uint32_t> text, not_text, url;
  };
  std::vector<BounceRule> rules;
  std::vector<Wording> wordings;  // [rule]
  std::vector<BouncePattern> patterns;
  std::vector<std::uint32_t> of_codes;  // rules without text and url, in order
  std::unique_ptr<PhraseIndex> index;   // phrase i: that of pattern i

  void build() {
    std::unordered_map<std::string, std::uint32_t> text_ids, url_ids;
    const auto number = [&](bool url, const std::vector<std::string>& texts) {
      std::vector<std::uint32_t> out;
      for (const std::string& text : texts) {
        for (std::string& pattern : write_out(text)) {
          const auto [entry, added] =
              (url ? url_ids : text_ids)
                  .try_emplace(std::move(pattern), static_cast<std::uint32_t>(patterns.size()));
          if (added) patterns.emplace_back(url, entry->first);
          out.push_back(entry->second);
        }
      }
      std::sort(out.begin(), out.end());
      return out;
    };
    for (std::uint32_t i = 0; i < rules.size(); ++i) {
      const BounceRule& rule = rules[i];
      wordings.push_back(
          {number(false, rule.text), number(false, rule.not_text), number(true, rule.url)});
      for (const auto* asked : {&wordings[i].text, &wordings[i].url})
        for (const std::uint32_t id : *asked) patterns[id].rules.push_back(i);
      if (rule.text.empty() && rule.url.empty()) of_codes.push_back(i);
    }
    std::vector<std::string_view> phrases;
    phrases.reserve(patterns.size());
    for (const BouncePattern& entry : patterns) phrases.push_back(entry.phrase());
    index = std::make_unique<PhraseIndex>(phrases);
  }

  // The numbers of the patterns that hold, in order.
  std::vector<std::uint32_t> find_patterns(const NormalText& text) const {
    std::vector<std::uint32_t> found;
    const auto search = [&](bool url, std::string_view where) {
      index->search(where, [&](std::uint32_t id, std::size_t end) {
        if (patterns[id].url() == url && patterns[id].holds(where, end)) found.push_back(id);
        return false;
      });
    };
    search(false, text.words);
    search(true, text.urls);
    std::sort(found.begin(), found.end());
    found.erase(std::unique(found.begin(), found.end()), found.end());
    return found;
  }

  // The first rule in order whose wording and other conditions hold.
  const BounceRule* by_text(std::string_view raw, const BounceFacts& facts) const {
    if (raw.empty()) return nullptr;
    const std::vector<std::uint32_t> found = find_patterns(normalize_diagnostic(raw));
    const auto any = [&](const std::vector<std::uint32_t>& ids) {
      return std::any_of(found.begin(), found.end(), [&](std::uint32_t id) {
        return std::binary_search(ids.begin(), ids.end(), id);
      });
    };
    std::vector<std::uint32_t> candidates;
    for (const std::uint32_t id : found)
      candidates.insert(candidates.end(), patterns[id].rules.begin(), patterns[id].rules.end());
    std::sort(candidates.begin(), candidates.end());
    for (const std::uint32_t i : candidates) {
      const Wording& wording = wordings[i];
      if ((wording.text.empty() || any(wording.text)) &&
          (wording.url.empty() || any(wording.url)) && !any(wording.not_text) &&
          conditions_hold(rules[i], facts))
        return &rules[i];
    }
    return nullptr;
  }
};

BounceRules::BounceRules(std::unique_ptr<const Compiled> compiled)
    : compiled_(std::move(compiled)) {}
BounceRules::BounceRules(BounceRules&&) noexcept = default;
BounceRules& BounceRules::operator=(BounceRules&&) noexcept = default;
BounceRules::~BounceRules() = default;

common::Result<BounceRules> BounceRules::compile(std::vector<BounceRule> rules) {
  if (rules.size() > kMaxRules) return common::Problem{"more than 10000 rules"};
  std::set<std::string_view> ids;
  for (const BounceRule& rule : rules) {
    auto problem = rule_problem(rule);
    if (!problem && !ids.insert(rule.id).second) problem = "the id is taken by an earlier rule";
    if (problem)
      return common::Problem{std::to_string(rule.line) + ": rule " + rule.id + ": " + *problem};
  }
  auto compiled = std::make_unique<Compiled>();
  compiled->rules = std::move(rules);
  compiled->build();
  return BounceRules(std::move(compiled));
}

BounceVerdict BounceRules::classify(const BounceFacts& facts) const {
  const BounceRule* rule = compiled_->by_text(facts.text, facts);
  if (rule == nullptr) rule = compiled_->by_text(facts.more_text, facts);
  for (std::size_t i = 0; rule == nullptr && i < compiled_->of_codes.size(); ++i) {
    const BounceRule& candidate = compiled_->rules[compiled_->of_codes[i]];
    if (conditions_hold(candidate, facts)) rule = &candidate;
  }
  if (rule == nullptr) return {};
  return {is_confirmed(*rule, facts) ? rule->bounce_class : BounceClass::kUnclear, rule->id};
}

std::size_t BounceRules::size() const {
  return compiled_->rules.size();
}

bool is_hard(BounceClass bounce_class) {
  return bounce_class == BounceClass::kHardUser || bounce_class == BounceClass::kHardDomain;
}

}  // namespace ipmit::events
