// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/policy/reference.h"

#include <algorithm>
#include <map>

namespace ipmit::policy {
namespace {

bool in_domains(const std::vector<DomainPattern>& patterns, const std::string& domain) {
  for (const DomainPattern& pattern : patterns)
    if (!domain.empty() && pattern.matches(domain)) return true;
  return false;
}

bool refuses(Action action) {
  return action == Action::kThrottle || action == Action::kDefer || action == Action::kReject;
}

// The recipients of the list that the rule is about.
std::vector<EnvelopeAddress> meant(const Mitigation& rule, std::span<const EnvelopeAddress> list) {
  std::vector<EnvelopeAddress> in_scope;
  for (const EnvelopeAddress& recipient : list)
    if (rule.scope.recipient_domains.empty() ||
        in_domains(rule.scope.recipient_domains, recipient.domain()))
      in_scope.push_back(recipient);
  return in_scope;
}

Stage acting_stage(const Mitigation& rule, const MessageFacts& facts) {
  if (facts.local_pickup) return Stage::kEndOfMessage;
  switch (rule.action) {
    case Action::kQuarantine:
    case Action::kReroute:
    case Action::kDiscard:
      return Stage::kEndOfMessage;
    case Action::kThrottle:
      if (rule.rate_limit->unit == RateUnit::kRecipients) return Stage::kRcpt;
      break;
    default:
      break;
  }
  return rule.scope.recipient_domains.empty() ? Stage::kMail : Stage::kRcpt;
}

struct Hit {
  const Mitigation* rule;
  const Target* target;
};

bool applies(const Mitigation& rule, const MessageFacts& facts, Stage stage, TimePoint now,
             const DecideOptions& options) {
  if (!rule.is_active(now) || acting_stage(rule, facts) != stage) return false;
  const std::string domain = facts.sender->domain();
  if (!rule.scope.sender_domains.empty() && !in_domains(rule.scope.sender_domains, domain))
    return false;
  const auto& users = rule.scope.sasl_users;
  if (!users.empty() &&
      std::count(users.begin(), users.end(), SaslUser{std::string(facts.sasl_user)}) == 0)
    return false;
  if (!rule.scope.recipient_domains.empty() && meant(rule, facts.recipients).empty()) return false;
  if (!refuses(rule.action)) return true;
  if (options.protect_null_sender && facts.sender->is_null()) return false;
  for (const EnvelopeAddress& recipient : facts.recipients)
    if (stage == Stage::kRcpt && options.protect_postmaster && recipient.is_postmaster())
      return false;
  return true;
}

// Whether this is the first recipient of the message that the rule acts on.
bool is_first(const Mitigation& rule, const MessageFacts& facts, Stage stage,
              const DecideOptions& options) {
  if (stage != Stage::kRcpt) return true;
  for (const EnvelopeAddress& earlier : meant(rule, facts.accepted)) {
    const bool spared =
        refuses(rule.action) && options.protect_postmaster && earlier.is_postmaster();
    if (!spared) return false;
  }
  return true;
}

std::string budget_key(const Hit& hit, const MessageFacts& facts) {
  std::string key = hit.rule->name + ':';
  if (hit.rule->rate_limit->per == RateKey::kTarget || facts.client == nullptr)
    return key + hit.target->to_string();
  return key + IpPrefix::of(*facts.client, facts.client->is_v4() ? 32 : 64).to_string();
}

void charge(const Hit& hit, const MessageFacts& facts, Stage stage, const DecideOptions& options,
            ReferenceAnswer& answer) {
  const RateLimit& limit = *hit.rule->rate_limit;
  std::size_t units = is_first(*hit.rule, facts, stage, options) ? 1 : 0;
  if (limit.unit == RateUnit::kRecipients) units = meant(*hit.rule, facts.recipients).size();
  if (units > 0) answer.charges.insert(charge_text(budget_key(hit, facts), units, limit));
}

void choose(std::vector<Hit> acting, const MessageFacts& facts, Stage stage,
            const DecideOptions& options, ReferenceAnswer& answer) {
  std::sort(acting.begin(), acting.end(), [](const Hit& a, const Hit& b) {
    if (a.rule->priority != b.rule->priority) return a.rule->priority > b.rule->priority;
    if (a.rule->action != b.rule->action) return a.rule->action > b.rule->action;
    return a.rule->name < b.rule->name;
  });
  auto decider = acting.begin();
  if (decider != acting.end() && decider->rule->action == Action::kThrottle)
    decider = std::find_if(acting.begin(), acting.end(),
                           [](const Hit& hit) { return !refuses(hit.rule->action); });
  if (decider != acting.end()) {
    answer.action = decider->rule->action;
    answer.rule = decider->rule->name;
    answer.target = decider->target->to_string();
    if (facts.local_pickup && answer.action == Action::kReject) answer.action = Action::kDefer;
    if (refuses(answer.action)) return;
  }
  for (const Hit& hit : acting)
    if (hit.rule->action == Action::kThrottle) charge(hit, facts, stage, options, answer);
}

std::size_t rank(const Target& target) {
  if (const IpPrefix* prefix = target.prefix())
    return 10'000 + static_cast<std::size_t>(prefix->length());
  if (target.user() != nullptr) return 1'000;
  return 1 + target.domain()->domain().text().size();
}

bool hits(const Target& target, const MessageFacts& facts) {
  if (const IpPrefix* prefix = target.prefix())
    return facts.client != nullptr && prefix->contains(*facts.client);
  if (const SaslUser* user = target.user()) return user->name == facts.sasl_user;
  return in_domains({*target.domain()}, facts.sender->domain());
}

}  // namespace

std::string charge_text(std::string_view key, std::size_t units, const RateLimit& limit) {
  return std::string(key) + " x" + std::to_string(units) + " per " + std::to_string(limit.limit);
}

const Target* reference_target(const Mitigation& mitigation, const MessageFacts& facts) {
  const Target* best = nullptr;
  for (const Target& target : mitigation.targets)
    if (hits(target, facts) && (best == nullptr || rank(target) > rank(*best))) best = &target;
  return best;
}

ReferenceAnswer reference_decide(const MitigationSet::Source& source, const MessageFacts& facts,
                                 Stage stage, TimePoint now, const DecideOptions& options) {
  ReferenceAnswer answer;
  for (const Exemption& exemption : source.exemptions)
    if ((!exemption.ends || now < *exemption.ends) && hits(exemption.target, facts))
      answer.exempt.insert(exemption.target.to_string());
  if (!answer.exempt.empty()) return answer;

  std::map<std::string, const Mitigation*> rules;  // the last of each name
  for (const Mitigation& mitigation : source.mitigations) rules[mitigation.name] = &mitigation;
  std::vector<Hit> acting;
  for (const auto& [name, rule] : rules) {
    const Target* target = reference_target(*rule, facts);
    if (target == nullptr || !applies(*rule, facts, stage, now, options)) continue;
    if (rule->action != Action::kObserve && rule->mode == Mode::kEnforce) {
      acting.push_back({rule, target});
    } else if (is_first(*rule, facts, stage, options)) {
      answer.observed.insert(name);
    }
  }
  choose(std::move(acting), facts, stage, options, answer);
  return answer;
}

}  // namespace ipmit::policy
