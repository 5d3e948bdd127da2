// SPDX-License-Identifier: Apache-2.0
#include "cli/dry_run.h"

#include <algorithm>

#include "cli/describe.h"

namespace ipmit::cli {
namespace {

using policy::Action;
using policy::Decision;
using policy::EnvelopeAddress;
using policy::MitigationSet;
using policy::Stage;

bool is_refusal(Action action) {
  return action == Action::kDefer || action == Action::kReject;
}

class Dialogue {
 public:
  Dialogue(const MitigationSet& set, const TestMail& mail, const conf::MilterSettings& settings,
           common::TimePoint now)
      : set_(set), mail_(mail), settings_(settings), now_(now) {
    outcome_.revision = set.revision();
  }

  TestOutcome run() {
    if (never_matches() && exempt_by_network()) return std::move(outcome_);
    if (!mail_.local_pickup && (ask(Stage::kMail, {}, "") || !outcome_.exempt.empty()))
      return std::move(outcome_);
    std::vector<EnvelopeAddress> accepted;
    for (const EnvelopeAddress& recipient : mail_.recipients) {
      if (mail_.local_pickup || !ask(Stage::kRcpt, {&recipient, 1}, recipient.to_string()))
        accepted.push_back(recipient);
    }
    outcome_.accepted_recipients = accepted.size();
    if (!accepted.empty() && outcome_.exempt.empty()) ask(Stage::kEndOfMessage, accepted, "");
    return std::move(outcome_);
  }

 private:
  // Address rules are not for proxies and pods, but an exemption of such a network still counts.
  bool never_matches() {
    if (!mail_.client) return false;
    for (const policy::IpPrefix& network : settings_.never_match_networks) {
      if (!network.contains(*mail_.client)) continue;
      client_ = nullptr;
      outcome_.notes.push_back("client " + mail_.client->to_string() + " is in " +
                               network.to_string() +
                               " of milter.never_match_networks: address rules do not apply");
      return true;
    }
    return false;
  }
  bool exempt_by_network() {
    const auto exempt = set_.exemption(&*mail_.client, {}, {}, now_);
    if (exempt) outcome_.exempt = *exempt;
    return exempt.has_value();
  }

  // true: refused here.
  bool ask(Stage stage, std::span<const EnvelopeAddress> recipients, std::string recipient) {
    const policy::MessageFacts facts{.client = client_,
                                     .sasl_user = mail_.sasl_user,
                                     .sender = &mail_.sender,
                                     .recipients = recipients,
                                     .local_pickup = mail_.local_pickup};
    const policy::DecideOptions options{.protect_null_sender = settings_.protect_null_sender,
                                        .protect_postmaster = settings_.protect_postmaster};
    Decision decision;
    policy::decide(set_, facts, stage, now_, options, decision);
    if (decision.exempt) {
      outcome_.exempt = *decision.exempt;
      return false;
    }
    for (const policy::RuleId rule : decision.observed) note_observed(rule);
    const bool refused = decision.rule && is_refusal(decision.action);
    if (!refused)
      for (const policy::Charge& charge : decision.charges) note_throttle(charge);
    if (decision.rule && decision.action != Action::kObserve)
      note_answer(stage, std::move(recipient), decision);
    return refused;
  }

  void note_observed(policy::RuleId id) {
    const std::string name(set_.rule(id).name);
    if (std::find(outcome_.observed.begin(), outcome_.observed.end(), name) ==
        outcome_.observed.end())
      outcome_.observed.push_back(name);
  }

  void note_throttle(const policy::Charge& charge) {
    const MitigationSet::Rule rule = set_.rule(charge.rule);
    // The key is the mitigation's name, a separator, and what the budget is for.
    const std::string budget =
        charge.key.size() > rule.name.size() ? charge.key.substr(rule.name.size() + 1) : charge.key;
    outcome_.throttles.push_back({std::string(rule.name), describe_limit(charge.limit), budget,
                                  policy::reply_for(rule, budget).to_string(), charge.units});
  }

  void note_answer(Stage stage, std::string recipient, const Decision& decision) {
    const MitigationSet::Rule rule = set_.rule(*decision.rule);
    TestOutcome::Answer answer;
    answer.stage = stage;
    answer.recipient = std::move(recipient);
    answer.action = decision.action;
    answer.mitigation = rule.name;
    answer.matched = decision.matched_target;
    answer.reason = rule.reason;
    answer.transport = rule.reroute_transport;
    if (is_refusal(decision.action)) {
      auto reply = policy::reply_for(rule, decision.matched_target);
      // A Reject that is softened to Defer (local pickup) has a permanent text.
      if (decision.action == Action::kDefer && reply.is_permanent())
        reply = policy::SmtpReply::tempfail(reply.text());
      answer.reply = reply.to_string();
    }
    const auto& known = settings_.reroute_transports;
    if (decision.action == Action::kReroute &&
        std::find(known.begin(), known.end(), answer.transport) == known.end()) {
      outcome_.notes.push_back(answer.mitigation + " is not followed: transport " +
                               answer.transport + " is not in milter.reroute_transports");
      return;
    }
    outcome_.answers.push_back(std::move(answer));
  }

  const MitigationSet& set_;
  const TestMail& mail_;
  const conf::MilterSettings& settings_;
  const common::TimePoint now_;
  const policy::IpAddress* client_ = mail_.client ? &*mail_.client : nullptr;
  TestOutcome outcome_;
};

}  // namespace

const TestOutcome::Answer* TestOutcome::whole() const {
  for (const Answer& answer : answers)
    if (answer.stage != Stage::kRcpt) return &answer;
  if (answers.empty() || accepted_recipients > 0) return nullptr;
  return &answers.front();  // every recipient was refused
}

TestOutcome test_mail(const MitigationSet& set, const TestMail& mail,
                      const conf::MilterSettings& settings, common::TimePoint now) {
  return Dialogue(set, mail, settings, now).run();
}

}  // namespace ipmit::cli
