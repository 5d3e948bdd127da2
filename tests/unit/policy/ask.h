// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>

#include <gtest/gtest.h>

#include "policy/decide.h"
#include "tests/unit/policy/builders.h"

// Asks decide() with messages and gets answers written as text.
namespace ipmit::policy {

// A message from 203.0.113.9, alice@example.com, to one recipient.
struct Message {
  std::string client = "203.0.113.9";
  std::string user;
  std::string sender = "<alice@example.com>";
  std::vector<std::string> recipients = {"bob@one.example"};
  std::vector<std::string> accepted;
  bool local_pickup = false;
};

struct Answer {
  Action action;
  std::string rule, exempt, target;
  std::vector<std::string> charges;   // "key x units"
  std::vector<std::string> observed;  // names
};

inline std::vector<EnvelopeAddress> parse_all(const std::vector<std::string>& texts) {
  std::vector<EnvelopeAddress> all;
  for (const std::string& text : texts) all.push_back(EnvelopeAddress::parse(text));
  return all;
}

inline Answer ask(const MitigationSet::Source& source, const Message& message, Stage stage,
                  const DecideOptions& options = {}) {
  const auto set = MitigationSet::build(source);
  const auto client = IpAddress::parse(message.client);
  const auto sender = EnvelopeAddress::parse(message.sender);
  const auto recipients =
      parse_all(stage == Stage::kMail ? std::vector<std::string>{} : message.recipients);
  const auto accepted = parse_all(message.accepted);
  const MessageFacts facts{.client = client ? &*client : nullptr,
                           .sasl_user = message.user,
                           .sender = &sender,
                           .recipients = recipients,
                           .accepted = accepted,
                           .local_pickup = message.local_pickup};
  Decision decision;
  decision.charges.resize(3);  // what an earlier call left
  decision.observed.resize(3);
  decision.matched_target = "old";
  decide(*set, facts, stage, at(0), options, decision);
  Answer answer{decision.action,         "", std::string(decision.exempt.value_or("")),
                decision.matched_target, {}, {}};
  if (decision.rule) answer.rule = set->rule(*decision.rule).name;
  for (const Charge& charge : decision.charges) {
    EXPECT_EQ(charge.key.rfind(std::string(set->rule(charge.rule).name) + ':', 0), 0u);
    answer.charges.push_back(charge.key + " x" + std::to_string(charge.units));
  }
  for (const RuleId id : decision.observed) answer.observed.emplace_back(set->rule(id).name);
  return answer;
}

inline Mitigation with(Mitigation mitigation, const std::function<void(Mitigation&)>& edit) {
  edit(mitigation);
  return mitigation;
}

inline Mitigation to_domain(Mitigation mitigation, const char* recipient_domain) {
  mitigation.scope.recipient_domains = {pattern(recipient_domain)};
  return mitigation;
}

inline Mitigation prioritised(Mitigation mitigation, int priority) {
  mitigation.priority = priority;
  return mitigation;
}

inline Mitigation dry_run(Mitigation mitigation) {
  mitigation.mode = Mode::kDryRun;
  return mitigation;
}

constexpr const char* kClient = "203.0.113.9";

}  // namespace ipmit::policy
