// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "policy/envelope.h"
#include "policy/mitigation_set.h"
#include "policy/smtp_reply.h"

namespace ipmit::policy {

// Where in the SMTP dialogue a question is asked. kMail: client, user and sender are known; kRcpt:
// one recipient more; kEndOfMessage: all accepted recipients.
enum class Stage : std::uint8_t { kMail, kRcpt, kEndOfMessage };
std::string_view to_string(Stage stage);  // "mail", "rcpt", "eom"

// What is known of a message. Views and pointers are read during the call only.
struct MessageFacts {
  const IpAddress* client = nullptr;  // null: unknown
  std::string_view sasl_user;         // lower case; empty: not authenticated
  const EnvelopeAddress* sender = nullptr;
  // kMail: empty. kRcpt: the one asked about. kEndOfMessage: those accepted.
  std::span<const EnvelopeAddress> recipients;
  // kRcpt: those accepted before, so that what counts once a message is counted at the first one.
  std::span<const EnvelopeAddress> accepted{};
  bool local_pickup =
      false;  // from sendmail(1), not SMTP: decided at end of message, never rejected
};

struct DecideOptions {
  bool protect_null_sender = true;  // the null sender is never refused (bounces must flow)
  bool protect_postmaster = true;   // nor a recipient postmaster at RCPT (RFC 5321 section 4.5.1)
};

// A throttle that must be asked before the message may pass. All of a decision are charged or none.
struct Charge {
  RuleId rule = 0;
  std::string key;  // limiter key: mitigation name, ':', then target or address
  RateLimit limit;
  std::uint32_t units = 1;
};

// What to do now. action is what is enforced at this stage; kObserve means: let it go on (no rule
// matched, or none that acts here). Throttles are not in `action` but in `charges`: the caller asks
// its limiter and, if one refuses, answers reply_for() that rule.
struct Decision {
  Action action = Action::kObserve;
  std::optional<RuleId> rule;              // the one that decided; unset for kObserve
  std::optional<std::string_view> exempt;  // the exemption that let it pass
  std::vector<Charge> charges;
  // Observe and DryRun rules that matched; each is reported once a message, at its stage.
  std::vector<RuleId> observed;
  std::string matched_target;  // canonical text of the target that matched `rule`
};

// What a set holds for one message, as seen at its MAIL: client, user and sender stay the same to
// the end, so the lookup is done once; which of the rules act is asked anew at each stage.
struct Candidates {
  std::optional<std::string_view> exempt;  // the exemption in force; then there are no matches
  std::vector<MitigationSet::Match> matches;
};
// Reads client, user and sender of `facts`. `out` is cleared first and keeps its memory.
void find_candidates(const MitigationSet& set, const MessageFacts& facts, TimePoint now,
                     Candidates& out);

// Total and without I/O, clock or locks. Exemptions beat everything. Then of the active rules that
// match, each acts at the first stage where it can, and at no other:
//   Observe, Defer, Reject, Throttle of messages   without recipient domains in scope: kMail
//   the same with them, Throttle of recipients     kRcpt
//   Quarantine, Reroute, Discard                   kEndOfMessage
//   any, local pickup                              kEndOfMessage; Reject acts as Defer
// Among those that act at this stage the first by higher priority, stricter action, name decides.
// Is that a Defer or Reject, nothing is charged; else every Throttle is, whatever its priority, and
// if a Throttle is first, it keeps a Defer or Reject behind it from acting. Observe and DryRun
// rules are reported in `observed`, they neither act nor keep others from it.
// A recipient-scoped EOM action applies if any accepted recipient is in scope (the message is one).
// A rule that matches by several targets counts by the first of: the narrowest prefix, the SASL
// user, the sender domain, the nearest pattern above it.
// Allocates only for a rule that acts. `out` is cleared first; reusing one saves allocations.
void decide(const MitigationSet& set, const Candidates& candidates, const MessageFacts& facts,
            Stage stage, TimePoint now, const DecideOptions& options, Decision& out);
// The same with candidates found now.
void decide(const MitigationSet& set, const MessageFacts& facts, Stage stage, TimePoint now,
            const DecideOptions& options, Decision& out);

// The reply for a refused message, only for kThrottle, kDefer, kReject: the rule's own text, or
// "203.0.113.9 exceeds 100 messages per hour (ipmit mail/det-7f3a until 2026-11-25T18:00Z)", for
// Defer and Reject "203.0.113.0/24: <reason> (ipmit …)". A long reason is cut, not what follows it.
// `matched` is the target's or address's text.
SmtpReply reply_for(const MitigationSet::Rule& rule, std::string_view matched);

}  // namespace ipmit::policy
