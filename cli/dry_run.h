// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "conf/settings.h"
#include "policy/decide.h"
#include "policy/mitigation_set.h"

namespace ipmit::cli {

// The mail that `ipmitctl test` asks about.
struct TestMail {
  std::optional<policy::IpAddress> client;  // unset: unknown
  std::string sasl_user;                    // lower case
  policy::EnvelopeAddress sender;
  std::vector<policy::EnvelopeAddress> recipients;
  bool local_pickup = false;
};

// What the milter would do with it, stage by stage, as far as rules alone can say: whether a
// throttle refuses depends on what was counted, so it is listed with the reply it would give.
struct TestOutcome {
  struct Throttle {
    std::string mitigation, limit, key, reply;
    std::uint32_t units = 0;
  };
  struct Answer {
    policy::Stage stage = policy::Stage::kMail;
    std::string recipient;  // kRcpt only
    policy::Action action = policy::Action::kObserve;
    std::string mitigation, matched, reason;
    std::string reply;      // kDefer, kReject
    std::string transport;  // kReroute
  };
  std::vector<Answer> answers;  // those that act, in the order of the dialogue
  std::vector<Throttle> throttles;
  std::vector<std::string> observed;  // DryRun and Observe rules that matched
  std::string exempt;                 // the exemption that let it pass
  std::size_t accepted_recipients = 0;
  std::vector<std::string> notes;  // "client … is in never_match_networks"
  std::uint64_t revision = 0;

  // The strictest answer that concerns the whole message; kObserve: it passes.
  const Answer* whole() const;
};

TestOutcome test_mail(const policy::MitigationSet& set, const TestMail& mail,
                      const conf::MilterSettings& settings, common::TimePoint now);

}  // namespace ipmit::cli
