// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "common/error.h"
#include "policy/bounce_rule.h"

namespace ipmit::events {

// What is known of one failed recipient when its class is looked for.
struct BounceFacts {
  std::string_view text;  // what the refusing server said
  std::string_view
      more_text;            // what else the report says about it; asked only where `text` is mute
  std::string_view status;  // "5.1.1", or empty
  std::string_view reply;   // "550", or empty
  policy::SmtpStage stage = policy::SmtpStage::kUnknown;
  std::vector<std::string> hosts;  // lower case: remote host, recipient's domain
};

struct BounceVerdict {
  policy::BounceClass bounce_class = policy::BounceClass::kUnclear;
  std::string_view rule;  // its id, living as long as the rules; empty: none matched
};

// The rules of conf/bounce_rules.yaml, compiled. Wording wins over codes, whatever the order of the
// file: first the rules with `text` or `url` are tried on BounceFacts::text, then on more_text, and
// only then the rules of codes and hosts alone; in each round the first in the order of the file.
// Immutable: a reload makes a new object. Thread-safe; classify() never throws but std::bad_alloc
// and looks at kMaxDiagnostic bytes of each text.
class BounceRules {
 public:
  // Problem: "12: rule gmail-rate: reason", 12 being the line, for an id that is empty or taken, a
  // rule without conditions, text that could never match (upper case, double blanks, a code in
  // front), patterns that are not codes.
  static common::Result<BounceRules> compile(std::vector<policy::BounceRule> rules);

  BounceRules(BounceRules&&) noexcept;
  BounceRules& operator=(BounceRules&&) noexcept;
  ~BounceRules();

  BounceVerdict classify(const BounceFacts& facts) const;
  std::size_t size() const;

 private:
  struct Compiled;
  explicit BounceRules(std::unique_ptr<const Compiled> compiled);
  std::unique_ptr<const Compiled> compiled_;
};

// A permanent failure that repeating cannot cure.
bool is_hard(policy::BounceClass bounce_class);

}  // namespace ipmit::events
