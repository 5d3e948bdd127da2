// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "milter/options.h"
#include "milter/rule_feed.h"
#include "policy/decide.h"

namespace ipmit::milter {

// A rule that only watched, and what it was asked about.
struct ObservedRule {
  policy::RuleId rule = 0;
  policy::Stage stage = policy::Stage::kMail;
  std::vector<policy::EnvelopeAddress> asked;
};

// What a Session knows of the message between MAIL and its end. Plain value, of one Session.
struct MessageState {
  std::shared_ptr<const policy::MitigationSet> rules;
  const SessionOptions* options = nullptr;
  RuleState rule_state = RuleState::kNone;
  TimePoint now{};  // of MAIL, or of the last question to the rules
  policy::EnvelopeAddress sender;
  std::string sasl_user;
  std::string queue_id;
  std::vector<policy::EnvelopeAddress> recipients;  // accepted; none kept if no rule asks
  std::vector<policy::Charge> reserved;
  std::vector<ObservedRule> observed;  // counted; logged at the end, when the queue id is known
  std::optional<policy::Candidates> candidates;  // once asked for
  bool exempt = false;

  // Lets go of the rules and forgets the mail; the memory stays for the next message.
  void clear() {
    rules.reset();
    sasl_user.clear();
    queue_id.clear();
    recipients.clear();
    reserved.clear();
    observed.clear();
    candidates.reset();
    exempt = false;
  }
  // Most mail: no more questions to the rules, nor to the clock.
  bool matches_nothing() const { return candidates && candidates->matches.empty(); }
  // Too much memory to keep it for the next message.
  bool is_large() const { return recipients.capacity() > kKeptRecipients; }

 private:
  static constexpr std::size_t kKeptRecipients = 16;
};

}  // namespace ipmit::milter
