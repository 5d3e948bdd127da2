// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace ipmit::events {

// The fields of one recipient of a message/delivery-status (RFC 3464 section 2.3), as written, but
// unfolded. Empty: absent.
struct DsnRecipient {
  std::string final_recipient;  // "rfc822; user@example.net"
  std::string original_recipient;
  std::string actual_recipient;  // X-Actual-Recipient (Sendmail)
  std::string action;            // lower case, without comment: "failed"
  std::string status;            // "5.1.1", without comment
  std::string diagnostic;        // without its type
  std::string diagnostic_type;   // lower case: "smtp", "x-postfix"
  std::string remote_mta;        // host name, lower case
  std::string category;          // X-PowerMTA-BounceCategory: "bad-mailbox"
};

struct DsnReport {
  std::string reporting_mta;        // host name, lower case
  std::string queue_id;             // X-…-Queue-ID
  std::string envelope_sender;      // X-…-Sender; empty too for the null sender
  std::string original_message_id;  // X-Original-Message-ID
  std::string arrival_date;
  std::vector<DsnRecipient> recipients;  // at most kMaxRecipients
  std::string_view rest;  // of the text behind the last group, where another part was glued to it
};
inline constexpr std::size_t kMaxRecipients = 1000;  // of one report

// `text`: a message/delivery-status, or any text that holds one (mails whose MIME structure is
// broken). Fields may come in any order, without the blank line between the groups, and with lines
// among them that are not fields. nullopt: no Final-Recipient, Original-Recipient, Action or
// Reporting-MTA. `rest` lives as long as `text`.
std::optional<DsnReport> parse_dsn(std::string_view text);

}  // namespace ipmit::events
