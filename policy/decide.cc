// SPDX-License-Identifier: Apache-2.0
#include "policy/decide.h"

#include <algorithm>

namespace ipmit::policy {
namespace {

using Rule = MitigationSet::Rule;
using Match = MitigationSet::Match;
using Recipients = std::span<const EnvelopeAddress>;

constexpr int kBudgetBits = 64;  // of an IPv6 address: what one host has

bool is_refusal(Action action) {
  return action == Action::kThrottle || action == Action::kDefer || action == Action::kReject;
}

// Whether `accepts` says yes to one of the lines.
template <typename Accepts>
bool any_line(std::string_view lines, Accepts accepts) {
  while (!lines.empty()) {
    const std::size_t end = lines.find('\n');
    if (accepts(lines.substr(0, end))) return true;
    lines.remove_prefix(end + 1);
  }
  return false;
}

bool matches_any(std::string_view patterns, std::string_view domain) {
  return !domain.empty() && any_line(patterns, [&](std::string_view pattern) {
    if (!pattern.starts_with("*.")) return pattern == domain;
    return domain.size() >= pattern.size() && domain.ends_with(pattern.substr(1));
  });
}

bool is_recipient_scoped(const Rule& rule) {
  return !rule.scope.recipient_domains.empty();
}

Stage stage_of(const Rule& rule, bool local_pickup) {
  if (local_pickup) return Stage::kEndOfMessage;
  if (!is_refusal(rule.action) && rule.action != Action::kObserve) return Stage::kEndOfMessage;
  const bool counts_recipients = rule.action == Action::kThrottle && rule.rate_limit &&
                                 rule.rate_limit->unit == RateUnit::kRecipients;
  return counts_recipients || is_recipient_scoped(rule) ? Stage::kRcpt : Stage::kMail;
}

// One question to decide(): which rules act here, and which of them decides.
class Question {
 public:
  Question(const MitigationSet& set, const MessageFacts& facts, Stage stage, TimePoint now,
           const DecideOptions& options, Decision& out)
      : set_(set), facts_(facts), stage_(stage), now_(now), options_(options), out_(out) {}

  void consider(const Match& match) {
    const Rule rule = set_.rule(match.rule);
    if (!rule.is_active(now_) || stage_of(rule, facts_.local_pickup) != stage_) return;
    if (!is_in_scope(rule) || is_protected(rule)) return;
    if (rule.action == Action::kObserve || rule.mode == Mode::kDryRun) {
      if (!was_counted(rule)) out_.observed.push_back(match.rule);
      return;
    }
    keep_first(first_, match);
    if (rule.action == Action::kThrottle) {
      add_charge(rule, match);
    } else if (!is_refusal(rule.action)) {
      keep_first(first_end_action_, match);
    }
  }

  void answer() {
    std::optional<Match> decider = first_;
    if (decider && set_.rule(decider->rule).action == Action::kThrottle)
      decider = first_end_action_;
    if (!decider) return;
    out_.action = set_.rule(decider->rule).action;
    if (out_.action == Action::kReject && facts_.local_pickup) out_.action = Action::kDefer;
    out_.rule = decider->rule;
    out_.matched_target = set_.target_text(decider->target);
    if (is_refusal(out_.action)) out_.charges.clear();
  }

 private:
  void keep_first(std::optional<Match>& first, const Match& match) const {
    if (!first || is_before(set_.rule(match.rule), set_.rule(first->rule))) first = match;
  }

  static bool is_before(const Rule& a, const Rule& b) {
    if (a.priority != b.priority) return a.priority > b.priority;
    if (a.action != b.action) return a.action > b.action;
    return a.name < b.name;
  }

  bool is_in_scope(const Rule& rule) const {
    const MitigationSet::RuleScope& scope = rule.scope;
    const std::string_view sender = facts_.sender ? facts_.sender->domain() : std::string_view{};
    if (!scope.sender_domains.empty() && !matches_any(scope.sender_domains, sender)) return false;
    if (!scope.sasl_users.empty() && !any_line(scope.sasl_users, [&](std::string_view user) {
          return user == facts_.sasl_user;
        }))
      return false;
    return scope.recipient_domains.empty() || count_in_scope(rule, facts_.recipients) > 0;
  }

  std::size_t count_in_scope(const Rule& rule, Recipients recipients) const {
    if (!is_recipient_scoped(rule)) return recipients.size();
    return static_cast<std::size_t>(
        std::count_if(recipients.begin(), recipients.end(), [&](const EnvelopeAddress& recipient) {
          return matches_any(rule.scope.recipient_domains, recipient.domain());
        }));
  }

  bool is_protected(const Rule& rule) const {
    if (!is_refusal(rule.action)) return false;
    if (options_.protect_null_sender && facts_.sender && facts_.sender->is_null()) return true;
    return stage_ == Stage::kRcpt &&
           std::any_of(facts_.recipients.begin(), facts_.recipients.end(),
                       [&](const EnvelopeAddress& r) { return is_protected_recipient(r); });
  }

  bool is_protected_recipient(const EnvelopeAddress& recipient) const {
    return options_.protect_postmaster && recipient.is_postmaster();
  }

  // Whether the rule acted on an earlier recipient of this message.
  bool was_counted(const Rule& rule) const {
    if (stage_ != Stage::kRcpt) return false;
    return std::any_of(facts_.accepted.begin(), facts_.accepted.end(),
                       [&](const EnvelopeAddress& recipient) {
                         return !(is_refusal(rule.action) && is_protected_recipient(recipient)) &&
                                count_in_scope(rule, {&recipient, 1}) > 0;
                       });
  }

  void add_charge(const Rule& rule, const Match& match) {
    if (!rule.rate_limit) return;
    std::size_t units = 1;
    if (rule.rate_limit->unit == RateUnit::kRecipients) {
      units = count_in_scope(rule, facts_.recipients);
    } else if (was_counted(rule)) {
      units = 0;
    }
    if (units == 0) return;
    Charge& charge = out_.charges.emplace_back();
    charge.rule = match.rule;
    const std::string budget = budget_of(*rule.rate_limit, match);
    charge.key.reserve(rule.name.size() + 1 + budget.size());
    charge.key.append(rule.name).append(1, ':').append(budget);
    charge.limit = *rule.rate_limit;
    charge.units = static_cast<std::uint32_t>(units);
  }

  std::string budget_of(const RateLimit& limit, const Match& match) const {
    if (limit.per == RateKey::kTarget || facts_.client == nullptr)
      return set_.target_text(match.target);
    const IpAddress& client = *facts_.client;
    return client.is_v4() ? client.to_string() : IpPrefix::of(client, kBudgetBits).to_string();
  }

  const MitigationSet& set_;
  const MessageFacts& facts_;
  const Stage stage_;
  const TimePoint now_;
  const DecideOptions& options_;
  Decision& out_;
  std::optional<Match> first_;             // of all that act
  std::optional<Match> first_end_action_;  // of Quarantine, Reroute, Discard
};

void clear(Decision& decision) {
  decision.action = Action::kObserve;
  decision.rule.reset();
  decision.exempt.reset();
  decision.charges.clear();
  decision.observed.clear();
  decision.matched_target.clear();
}

}  // namespace

std::string_view to_string(Stage stage) {
  switch (stage) {
    case Stage::kMail:
      return "mail";
    case Stage::kRcpt:
      return "rcpt";
    case Stage::kEndOfMessage:
      break;
  }
  return "eom";
}

void find_candidates(const MitigationSet& set, const MessageFacts& facts, TimePoint now,
                     Candidates& out) {
  const std::string_view domain = facts.sender ? facts.sender->domain() : std::string_view{};
  out.matches.clear();
  out.exempt = set.find_unless_exempt(facts.client, facts.sasl_user, domain, now, out.matches);
}

void decide(const MitigationSet& set, const Candidates& candidates, const MessageFacts& facts,
            Stage stage, TimePoint now, const DecideOptions& options, Decision& out) {
  clear(out);
  out.exempt = candidates.exempt;
  if (candidates.matches.empty()) return;
  Question question(set, facts, stage, now, options, out);
  for (const Match& match : candidates.matches) question.consider(match);
  question.answer();
}

void decide(const MitigationSet& set, const MessageFacts& facts, Stage stage, TimePoint now,
            const DecideOptions& options, Decision& out) {
  static thread_local Candidates candidates;  // keeps its memory from call to call
  find_candidates(set, facts, now, candidates);
  decide(set, candidates, facts, stage, now, options, out);
}

}  // namespace ipmit::policy
