// SPDX-License-Identifier: Apache-2.0
#include "events/bounce_heads.h"

#include <algorithm>
#include <optional>

#include "events/bounce_address.h"
#include "events/bounce_phrases.h"
#include "events/bounce_text.h"

namespace ipmit::events {
namespace {

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

std::string_view without_bullet(std::string_view line) {
  line = trim(line);
  while (!line.empty() && (line.front() == '*' || line.front() == '-' || line.front() == '+'))
    line = trim(line.substr(1));
  if (line.starts_with("\xE2\x80\xA2")) line = trim(line.substr(3));
  return line;
}

// "Recipient:", "Addressed To:" and their like, in front of the address.
std::string_view without_label(std::string_view line, bool& labelled) {
  static constexpr std::string_view kLabels[] = {"recipient",
                                                 "recipients",
                                                 "to",
                                                 "addressed to",
                                                 "failed recipient",
                                                 "original recipient",
                                                 "rcpt to",
                                                 "unknown user",
                                                 "unknown host",
                                                 "email address",
                                                 "e-mail address",
                                                 "mailbox",
                                                 "user",
                                                 "failed address",
                                                 "undeliverable to",
                                                 "sent to",
                                                 "delivery to",
                                                 "receiver",
                                                 "final recipient",
                                                 "envelope recipient",
                                                 "intended recipient",
                                                 "recipient address",
                                                 "failed recipients",
                                                 "error-for",
                                                 "empfänger",
                                                 "destinataire",
                                                 "destinatario",
                                                 "destinatário",
                                                 "ontvanger",
                                                 "odbiorca",
                                                 "mottagare",
                                                 "modtager",
                                                 "получатель",
                                                 "宛先",
                                                 "送信先",
                                                 "収信者",
                                                 "受信者",
                                                 "收件人",
                                                 "받는 사람",
                                                 "수신자"};
  static constexpr std::string_view kWideColon = "\xEF\xBC\x9A";
  const std::size_t wide = line.find(kWideColon), colon = std::min(line.find(':'), wide);
  labelled = false;
  if (colon > 24) return line;  // or none
  const std::string label = to_lower(trim(line.substr(0, colon)));
  labelled = std::find(std::begin(kLabels), std::end(kLabels), label) != std::end(kLabels);
  return labelled ? trim(line.substr(colon + (colon == wide ? kWideColon.size() : 1))) : line;
}

// The reply code and status code in front of "<a@b>... User unknown"; what follows them, or
// nothing.
std::string_view without_codes(std::string_view line) {
  if (line.size() < 8 || (line[0] != '4' && line[0] != '5') || !is_digit(line[1]) ||
      !is_digit(line[2]) || line[3] != ' ')
    return {};
  line = trim(line.substr(4));
  if (is_digit(line.front()) && line.size() > 5 && line[1] == '.')
    line = trim(line.substr(std::min(line.find(' '), line.size())));
  return line;
}

Head head_at_start(std::string_view line) {
  const auto found = find_address(line);
  if (!found || found->begin > 0) return {};
  std::string_view rest = trim(line.substr(found->end));
  // A display name that is an address, too.
  if (const auto real = rest.starts_with('<') ? find_address(rest) : std::nullopt;
      real && real->begin == 0)
    return {Strength::kHead, real->address, trim(rest.substr(real->end))};
  const bool close =
      rest.empty() || std::string_view(":,;([.").find(rest.front()) != std::string_view::npos ||
      rest.starts_with("- ") || rest.starts_with("<mailto:") || rest.starts_with("on ");
  return {close ? Strength::kHead : Strength::kLine, found->address, rest};
}

// "Your message, addressed to 'a@b'", "SMTP <a@b>": words behind which only the recipient stands.
Head behind_lead(std::string_view line) {
  static constexpr std::string_view kLeads[] = {"originally addressed to", "addressed to",
                                                "was addressed,", "unable to deliver to"};
  const auto found = find_address(line);
  if (!found) return {};
  const std::string before = to_lower(trim(line.substr(0, found->begin)));
  const bool known = before == "smtp" ||
                     std::any_of(std::begin(kLeads), std::end(kLeads),
                                 [&](std::string_view lead) { return before.ends_with(lead); });
  if (!known) return {};
  std::string_view rest = trim(line.substr(found->end));
  rest.remove_prefix(std::min(rest.find_first_not_of(" ,)"), rest.size()));
  return {Strength::kHead, found->address, rest};
}

// "c=US;a= ;p=Example;o=Site;dda:SMTP=a@b; on Mon, …": the SMTP address in an X.400 address, where
// "(a)" may stand for '@'.
Head x400_head(std::string_view line) {
  static const PhraseIndex kLead({"dda:smtp=", "dda.smtp=", "dda:rfc-822="});
  const PhraseIndex::First lead = kLead.first(line);
  if (lead.phrase == PhraseIndex::kNone) return {};
  const std::string_view value = line.substr(lead.end);
  const std::size_t end = std::min(value.find_first_of("; \t"), value.size());
  const std::string_view written = value.substr(0, end);
  const std::size_t sign = written.find("(a)");
  std::string address(written.substr(0, sign));
  if (sign != std::string_view::npos) address.append(1, '@').append(written.substr(sign + 3));
  if (address_alone(address) != address) return {};
  return {Strength::kHead, address, trim(value.substr(std::min(end + 1, value.size())))};
}

// "Ann Example (ann@example.net)": a name, the address, nothing else.
bool is_named(std::string_view line, std::size_t begin, std::size_t end) {
  const std::string_view name = trim(line.substr(0, begin)), rest = trim(line.substr(end));
  const bool bracket = name.ends_with('(') ? rest == ")" : rest.empty() && line[begin] == '<';
  return bracket && name.size() > 2 && name.size() < 64 &&
         name.find_first_of(":;,") == std::string_view::npos;
}

// "#5.7.1 smtp;550 5.7.1 <ann@example.net>... Relaying denied": behind codes, in front of dots.
bool is_refused(std::string_view line, std::size_t begin, std::size_t end) {
  const std::string_view before = trim(line.substr(0, begin));
  return !before.empty() && is_digit(before.back()) && line[begin] == '<' &&
         line.substr(end).starts_with("...");
}

// An address in a sentence that is about delivering to it.
Head mention(std::string_view line) {
  static const PhraseIndex kAbout({"deliver",   "mailbox",
                                   "recipient", "userid",
                                   "rcpt to",   "undeliverable",
                                   "user ",     "was not sent",
                                   "account",   "message to",
                                   "mail to",   "e-mail to",
                                   "email to",  "address not found",
                                   "users are", "zugestellt",
                                   "zustell",   "empfänger",
                                   "remis",     "destinataire",
                                   "entregar",  "entregue",
                                   "consegn",   "recapit",
                                   "destinat",  "bezorg",
                                   "afgelever", "dostarcz",
                                   "odbiorc",   "levere",
                                   "доставлен", "получател",
                                   "无法",      "收件人",
                                   "送信",      "宛先",
                                   "届け",      "配信",
                                   "발송",      "전송"});
  static constexpr std::string_view kOther[] = {
      "contact",        "assistance",   "mail from",  "sent by",       "please send",
      "questions",      "help",         "mailto:",    "envelope-from", "generated by",
      "generated from", "message from", "mail from:", "report to"};
  const auto found = find_address(line);
  if (!found || line.size() > 1000) return {};
  const std::string low = to_lower(line);
  const auto occurs = [&](std::string_view word) { return low.find(word) != std::string::npos; };
  if ((!kAbout.occurs_in(line) && !is_named(line, found->begin, found->end) &&
       !is_refused(line, found->begin, found->end)) ||
      std::any_of(std::begin(kOther), std::end(kOther), occurs))
    return {};
  return {Strength::kMention, found->address, line.substr(found->end)};
}

}  // namespace

Head head_of(std::string_view line) {
  if (line.size() > 2000) return {};
  if (Head head = x400_head(line); head.strength != Strength::kNone) return head;
  if (line.find('@') == std::string_view::npos) return {};
  const std::string_view trimmed = trim(line);
  if (trimmed.starts_with("<<<")) return {};
  // A command of a transcript, or ">>> a@b <a@b>".
  if (trimmed.starts_with(">>>")) {
    Head head = head_at_start(trim(trimmed.substr(3)));
    return head.strength == Strength::kHead ? head : Head{};
  }
  if (const std::string_view behind = without_codes(trimmed); !behind.empty()) {
    Head head = head_at_start(behind);
    if (head.strength != Strength::kNone &&
        (head.rest.starts_with("...") || head.rest.starts_with(":")))
      return {Strength::kReplyHead, head.address, head.rest};
  }
  bool labelled = false;
  const std::string_view value = without_label(without_bullet(trimmed), labelled);
  Head head = head_at_start(value);
  if (head.strength == Strength::kLine && labelled) head.strength = Strength::kHead;
  if (head.strength != Strength::kNone) return head;
  head = behind_lead(trimmed);
  return head.strength == Strength::kNone ? mention(trimmed) : head;
}

std::string expanded_from(std::string_view line) {
  line = trim(line);
  if (!line.starts_with("(expanded from: ")) return {};
  const auto found = find_address(line);
  return found ? found->address : std::string();
}

bool is_undisclosed(std::string_view line) {
  return trim(line).starts_with("an undisclosed address");
}

Head undisclosed_head(std::string_view line) {
  if (line.find("generated from") == std::string_view::npos) return {};
  const auto found = find_address(line);
  if (!found) return {};
  std::string_view rest = trim(line.substr(found->end));
  if (rest.starts_with(')')) rest = trim(rest.substr(1));
  return {Strength::kHead, found->address, rest};
}

// Says that the lines below name the recipients.
bool announces_recipients(std::string_view line) {
  static const PhraseIndex kPhrases(
      {"following recipient", "following address", "following e-mail address",
       "following email address", "following person", "list of recipients",
       "recipient(s):", "address(es) failed", "addresses failed", "addresses had",
       "failed addresses", "not delivered to:", "delivered to the following",
       "be delivered to:", "deliverable to the following", "these recipients", "these addresses",
       "recipients were affected"});
  return kPhrases.occurs_in(line.substr(0, 200));
}

bool describes_message(std::string_view line) {
  static const PhraseIndex kPhrases({"original message details", "original message headers",
                                     "details of the message", "message details:"});
  return kPhrases.occurs_in(line.substr(0, 200));
}

std::string_view bare_name(std::string_view line) {
  line = trim(line);
  const std::size_t end = std::min(line.find_first_of(" \t"), line.size());
  const std::string_view name = line.substr(0, end);
  const std::string_view behind = line.substr(end);
  const bool fits = !name.empty() && name.size() <= 64 &&
                    std::all_of(name.begin(), name.end(),
                                [](char c) {
                                  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                                         is_digit(c) || c == '.' || c == '_' || c == '-';
                                }) &&
                    name.find_first_not_of(".-_") != std::string_view::npos && !name.ends_with('.');
  return fits && (behind.empty() || behind.starts_with("  ") || behind.starts_with(" (") ||
                  behind.starts_with('\t'))
             ? name
             : std::string_view();
}

}  // namespace ipmit::events
