// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "common/json_text.h"
#include "events/bounce_rules.h"
#include "policy/bounce_rule.h"

namespace ipmit::events {

enum class MailKind : std::uint8_t { kNone, kBounce, kComplaint, kAuto };
std::string_view to_string(MailKind kind);  // "none", "bounce", "complaint", "auto"

// What a mail says about one recipient of a message that was sent. Strings are UTF-8 as far as the
// mail was; empty: the mail does not say. A mail can be forged by anybody: see attribution.h.
struct MailResult {
  MailKind kind = MailKind::kBounce;
  policy::BounceClass bounce_class = policy::BounceClass::kUnclear;
  bool hard = false;
  std::string rule;  // that decided the class; empty: none matched
  std::string recipient;
  std::string status;      // "5.1.1"
  std::string reply;       // "550"
  std::string action;      // failed, delayed, delivered, relayed, expanded
  std::string diagnostic;  // at most kMaxDiagnostic bytes
  policy::SmtpStage stage = policy::SmtpStage::kUnknown;
  std::string feedback_type;         // of complaints; "not-spam" is no complaint for whoever counts
  std::string sender;                // of the message: its From, else its return path
  std::string message_id;            // without angle brackets
  std::string queue_id;              // of the reporting MTA
  std::string reporting_mta;         // host
  std::string remote_mta;            // host that refused
  std::string source_address;        // client address that a feedback report names
  std::string date;                  // of the message's arrival, as written
  std::string trace_token;           // of kTraceHeader in the returned message
  std::vector<std::string> derived;  // fields that come from the returned message, not the report
};

// The members of a result in `ipmitctl parse mail` and `parse provider`.
void add_members(common::JsonObjectText& object, const MailResult& result);

struct MailReport {
  MailKind kind = MailKind::kNone;  // kNone: ordinary mail
  std::vector<MailResult> results;  // empty if kNone; at most kMaxRecipients
  bool cut = false;                 // Mail::cut: the mail went beyond the limits of mime_part.h
};

// A mail (RFC 5322, with or without a mbox separator line) to what it reports: a DSN in the form of
// RFC 3464 or in one of the many that mail servers write for people, a feedback report (RFC 5965),
// an automatic reply (RFC 3834). Ordinary mail gives nothing. Any bytes are safe; throws nothing
// but std::bad_alloc. Thread-safe; does not block.
MailReport parse_mail(std::string_view bytes, const BounceRules& rules);

// One SMTP reply or diagnostic text by itself, as from a mail log or `ipmitctl parse text`.
struct TextVerdict {
  policy::BounceClass bounce_class = policy::BounceClass::kUnclear;
  bool hard = false;
  std::string rule, status, reply;
  policy::SmtpStage stage = policy::SmtpStage::kUnknown;
};
TextVerdict parse_text(std::string_view text, const BounceRules& rules);

}  // namespace ipmit::events
