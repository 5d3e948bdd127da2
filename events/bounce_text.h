// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "policy/bounce_rule.h"

namespace ipmit::events {

// A diagnostic text in the one form that bounce rules are written for, so that a phrase is found
// however a mail server has wrapped, repeated and decorated it:
// - lower case, one blank between words and at both ends, typographic quotes as ' and ";
// - reply codes and the status codes behind them gone ("550-5.1.1 the user 550 5.1.1 is unknown" is
//   "the user is unknown");
// - each mail address "@", each http address "url" (collected in `urls`, lower case, in order).
struct NormalText {
  std::string words;
  std::string urls;  // separated by blanks
};
// At most kMaxDiagnostic bytes of `text` are looked at. Never throws on any bytes.
inline constexpr std::size_t kMaxDiagnostic = 8192;
NormalText normalize_diagnostic(std::string_view text);

// The reply code (RFC 5321) and enhanced status code (RFC 3463) that a text carries; of several,
// the pair that stands together ("550 5.1.1"), then the first. Empty where there is none. Numbers
// inside addresses, host names, versions and IP addresses are not taken.
struct ReplyCodes {
  std::string reply;   // "550"
  std::string status;  // "5.1.1"
};
ReplyCodes find_codes(std::string_view text);

// "5.1.1", "4.7.650": the first status code of a Status field ("5.0.0 (undefined status)"); empty
// if there is none.
std::string parse_status(std::string_view field);

// The command a server answered, told by the words of the reporting MTA ("in reply to RCPT TO",
// ">>> DATA", "after end of data").
policy::SmtpStage find_stage(std::string_view text);

// Of a text written for people, what follows the words with which mail servers introduce the answer
// of the other server ("Remote host said:", "The response was:"); empty where no such words occur.
std::string_view find_quoted_reply(std::string_view text);

// Text helpers that the readers of reports share. ASCII only; no locale.
std::string to_lower(std::string_view text);
std::string_view trim(std::string_view text);
bool equals_ignoring_case(std::string_view a, std::string_view b);
std::vector<std::string_view> split_lines(std::string_view text);  // without CR and LF

}  // namespace ipmit::events
