// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace ipmit::policy {

// What a failed (or reported) delivery says about the sender's reputation. docs/bounce-classes.md
// describes each.
enum class BounceClass : std::uint8_t {
  kHardUser,    // the recipient does not exist or has moved
  kHardDomain,  // the recipient's domain does not exist or takes no mail
  kInactive,    // the recipient's account is disabled
  kReputation,  // refused for the sender, its address or the content: what ipmit is there to
                // prevent
  kConfig,      // refused for missing authentication, reverse DNS, TLS, relaying, form
  kThrottle,    // too much at a time
  kSoft,        // full, too big, broken, unreachable, expired: nobody's fault that matters here
  kUnclear,     // refused without a usable reason
  kComplaint,   // a person or a filter said "spam"
  kAuto,        // vacation and success notices: not a failure at all
};

// "hard_user", "hard_domain", …; the names used in conf/bounce_rules.yaml, events and metrics.
std::string_view to_string(BounceClass bounce_class);
std::optional<BounceClass> parse_bounce_class(std::string_view text);

// Where in an SMTP session a reply came.
enum class SmtpStage : std::uint8_t { kUnknown, kConnect, kHelo, kTls, kAuth, kMail, kRcpt, kData };
std::string_view to_string(SmtpStage stage);  // "connect", "rcpt", …, "unknown"
std::optional<SmtpStage> parse_smtp_stage(std::string_view text);

// One rule of conf/bounce_rules.yaml. Every condition that is not empty must hold, within one any
// entry will do. Plain data; events/bounce_rules.h checks and compiles it.
struct BounceRule {
  std::string id;                 // unique
  int line = 0;                   // of the file, for messages
  std::vector<std::string> text;  // in the diagnostic text; lower case, '*' = up to 80 characters
  std::vector<std::string> not_text;  // none of these in it
  std::vector<std::string> url;       // in an address (http…) of the diagnostic text
  std::vector<std::string> host;      // end of a host name or of the recipient's domain
  std::vector<std::string> status;    // "5.1.1", "5.1.*", "*.2.2", "none"
  std::vector<std::string> reply;     // "550", "55*", "none"
  std::vector<SmtpStage> stage;
  BounceClass bounce_class = BounceClass::kUnclear;
  // A wording that needs to be borne out: where neither status nor stage is one of these (and one
  // of the lists is not empty), the class is kUnclear.
  std::vector<std::string> confirm_status;
  std::vector<SmtpStage> confirm_stage;
};

}  // namespace ipmit::policy
