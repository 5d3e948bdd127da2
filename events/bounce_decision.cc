// SPDX-License-Identifier: Apache-2.0
#include "events/bounce_decision.h"

#include "events/bounce_address.h"
#include "events/bounce_text.h"

namespace ipmit::events {
namespace {

using policy::SmtpStage;

// What qmail, Sendmail, Exchange and Sun's server write beside every answer.
bool says_nothing(std::string_view line, bool answered) {
  return line.starts_with("Giving up on ") || line.starts_with("Remote system: dns;") ||
         line.starts_with("The following organization rejected your message") ||
         (answered && line == "554 5.0.0 Service unavailable");
}

// Joined lines of a quoted transcript: the reply without its "<<< " marks.
std::string one_line(std::string_view text) {
  std::string out;
  bool answered = false;
  for (const std::string_view raw : split_lines(text)) {
    std::string_view line = trim(raw);
    if (says_nothing(line, answered)) continue;
    answered = answered || line.starts_with("<<<");
    if (line.starts_with("<<<")) line = trim(line.substr(3));
    if (line.empty() || out.size() > kMaxDiagnostic) continue;
    if (!out.empty()) out += ' ';
    out += line;
  }
  return out;
}

}  // namespace

std::string limited_text(std::string_view text) {
  return std::string(trim(text).substr(0, kMaxDiagnostic));
}

void decide_bounce(MailResult& result, std::string_view diagnostic, std::string_view about,
                   const BounceRules& rules) {
  std::string text = one_line(diagnostic);
  const std::string more = one_line(about);
  if (text.empty()) text = find_quoted_reply(more);
  // Of "host mx.example.net[192.0.2.1] said: 550 …" the answer counts, not the name of the host.
  const std::string whole = text;
  if (const std::string_view answer = find_quoted_reply(text); !answer.empty())
    text = std::string(answer);
  ReplyCodes codes = find_codes(text);
  // An answer in its own words, with a code that says something, needs no help from the frame.
  const bool own_codes_speak = !codes.reply.empty() && !codes.status.empty() &&
                               !codes.status.ends_with(".0.0") &&
                               !normalize_diagnostic(text).words.empty();
  const ReplyCodes others = find_codes(more);
  if (codes.reply.empty()) codes.reply = others.reply;
  if (codes.status.empty()) codes.status = others.status;
  if (!codes.status.empty() && (result.status.empty() || !codes.status.ends_with(".0.0")))
    result.status = codes.status;
  result.reply = codes.reply;
  result.stage = find_stage(whole);
  if (result.stage == SmtpStage::kUnknown) result.stage = find_stage(more);
  result.diagnostic = limited_text(whole.empty() ? more : whole);
  BounceFacts facts;
  facts.text = text;
  if (!own_codes_speak) facts.more_text = more;
  facts.status = result.status;
  facts.reply = result.reply;
  facts.stage = result.stage;
  if (!result.remote_mta.empty()) facts.hosts.push_back(result.remote_mta);
  if (!result.reporting_mta.empty()) facts.hosts.push_back(result.reporting_mta);
  facts.hosts.push_back(domain_of(result.recipient));
  const BounceVerdict verdict = rules.classify(facts);
  result.bounce_class = verdict.bounce_class;
  result.rule = verdict.rule;
  result.hard = is_hard(verdict.bounce_class);
}

TextVerdict parse_text(std::string_view text, const BounceRules& rules) {
  const ReplyCodes codes = find_codes(text);
  TextVerdict verdict;
  verdict.status = codes.status;
  verdict.reply = codes.reply;
  verdict.stage = find_stage(text);
  BounceFacts facts;
  const std::string_view quoted = find_quoted_reply(text);
  facts.text = quoted.empty() ? text : quoted;
  facts.more_text = text;
  facts.status = verdict.status;
  facts.reply = verdict.reply;
  facts.stage = verdict.stage;
  const BounceVerdict by_rule = rules.classify(facts);
  verdict.bounce_class = by_rule.bounce_class;
  verdict.rule = by_rule.rule;
  verdict.hard = is_hard(by_rule.bounce_class);
  return verdict;
}

}  // namespace ipmit::events
