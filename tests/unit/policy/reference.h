// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <set>
#include <string>

#include "policy/decide.h"

namespace ipmit::policy {

// What decide() should say, told the slow way: each rule is looked at by itself, in words close to
// decide.h, without any index.
struct ReferenceAnswer {
  Action action = Action::kObserve;
  std::string rule, target;
  std::set<std::string> exempt;    // targets, any of which may be named; empty: none
  std::set<std::string> charges;   // "key xUNITS per LIMIT"
  std::set<std::string> observed;  // names
};

ReferenceAnswer reference_decide(const MitigationSet::Source& source, const MessageFacts& facts,
                                 Stage stage, TimePoint now, const DecideOptions& options);

// The target of `mitigation` that counts for the message; null: none matches.
const Target* reference_target(const Mitigation& mitigation, const MessageFacts& facts);

std::string charge_text(std::string_view key, std::size_t units, const RateLimit& limit);

}  // namespace ipmit::policy
