// SPDX-License-Identifier: Apache-2.0
#include "events/bounce_text.h"

#include <algorithm>
#include <utility>

#include "events/bounce_phrases.h"

namespace ipmit::events {
namespace {

using policy::SmtpStage;

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
bool is_alpha(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}
bool is_blank(char c) {
  return static_cast<unsigned char>(c) <= ' ';
}
char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c;
}

// Length of the status code at the start of `text`, 0 if there is none.
std::size_t status_length(std::string_view text) {
  if (text.size() < 5 || (text[0] != '2' && text[0] != '4' && text[0] != '5') || text[1] != '.')
    return 0;
  std::size_t at = 2;
  for (int part = 0; part < 2; ++part) {
    const std::size_t begin = at;
    while (at < text.size() && is_digit(text[at])) ++at;
    // RFC 3463 knows subjects 0 to 7; a version number looks much the same.
    if (at == begin || at - begin > (part == 0 ? 1 : 3)) return 0;
    if (part == 0 && (at == text.size() || text[at++] != '.')) return 0;
  }
  if (at == text.size()) return at;
  const bool goes_on =
      is_alpha(text[at]) || (text[at] == '.' && at + 1 < text.size() && is_digit(text[at + 1]));
  return goes_on ? 0 : at;
}

// Length of the reply code at the start of `text`, 0 if there is none.
std::size_t reply_length(std::string_view text) {
  if (text.size() < 3 || (text[0] != '2' && text[0] != '4' && text[0] != '5')) return 0;
  if (text[1] < '0' || text[1] > '7' || !is_digit(text[2])) return 0;
  if (text[0] == '2' && text[1] > '5') return 0;
  if (text.size() == 3) return 3;
  const char next = text[3];
  if (is_digit(next) || is_alpha(next) || next == '_' || next == '/' || next == '%') return 0;
  if (next == '.' && text.size() > 4 && (is_digit(text[4]) || is_alpha(text[4]))) return 0;
  return 3;
}

// Whether a number may start behind `c`: not inside a name, an IP address or a path.
bool may_start_code(std::string_view text, std::size_t at) {
  if (at == 0) return true;
  const char c = text[at - 1];
  if (is_digit(c) || is_alpha(c)) return false;
  if (c == '-' || c == '.')
    return at >= 2 && !is_digit(text[at - 2]) && !is_alpha(text[at - 2]) && text[at - 2] != '.';
  return c != '_' && c != '/' && c != '@' && c != '=' && c != '+' && c != '$';
}

std::size_t url_length(std::string_view text) {
  std::size_t at = text.starts_with("http://") ? 7 : text.starts_with("https://") ? 8 : 0;
  if (at == 0) return 0;
  constexpr std::string_view kEnds = "<>\"'()[]{},";
  while (at < text.size() && !is_blank(text[at]) && kEnds.find(text[at]) == std::string_view::npos)
    ++at;
  return at;
}

bool is_address_char(char c) {
  return is_alpha(c) || is_digit(c) || static_cast<unsigned char>(c) >= 0x80 ||
         std::string_view(".!#$%&'*+/=?^_`{|}~-@").find(c) != std::string_view::npos;
}

// Bytes at the end of `words` that belong to the address whose '@' comes now.
void drop_local_part(std::string& words) {
  while (is_address_char(words.back())) words.pop_back();  // stops at the blank in front
}

std::size_t domain_length(std::string_view text) {
  std::size_t at = 0;
  while (at < text.size() && is_address_char(text[at])) ++at;
  while (at > 0 && (text[at - 1] == '.' || text[at - 1] == '\'')) --at;
  return at;
}

// Lower case, blanks folded, quotes plain; the rest of the work needs no second look at those.
std::string fold(std::string_view text) {
  std::string out(text);
  char* end = out.data();
  for (std::size_t i = 0; i < text.size(); ++i) {
    const std::string_view quote = text[i] == '\xE2' ? text.substr(i, 3) : std::string_view{};
    if (quote == "\xE2\x80\x98" || quote == "\xE2\x80\x99") {
      *end++ = '\'';
      i += 2;
    } else if (quote == "\xE2\x80\x9C" || quote == "\xE2\x80\x9D") {
      *end++ = '"';
      i += 2;
    } else if (!is_blank(text[i])) {
      *end++ = lower(text[i]);
    } else if (end != out.data() && end[-1] != ' ') {
      *end++ = ' ';
    }
  }
  out.resize(static_cast<std::size_t>(end - out.data()));
  return out;
}

// A status code at `at`, or behind a blank or '-' there.
std::size_t status_behind(std::string_view text, std::size_t at, std::size_t& begin) {
  begin = at;
  while (begin < text.size() && begin < at + 2 &&
         (text[begin] == ' ' || text[begin] == '-' || text[begin] == '#' || text[begin] == '\''))
    ++begin;
  return begin == at ? 0 : status_length(text.substr(begin));
}

// The words of mail servers for the command that was answered; of several the first here counts.
constexpr std::pair<std::string_view, SmtpStage> kSigns[] = {
    {"in reply to rcpt", SmtpStage::kRcpt},
    {"in reply to mail", SmtpStage::kMail},
    {"in reply to end of data", SmtpStage::kData},
    {"in reply to data", SmtpStage::kData},
    {"in reply to helo", SmtpStage::kHelo},
    {"in reply to ehlo", SmtpStage::kHelo},
    {"in reply to starttls", SmtpStage::kTls},
    {"in reply to auth", SmtpStage::kAuth},
    {"after rcpt", SmtpStage::kRcpt},
    {"after mail from", SmtpStage::kMail},
    {"after end of data", SmtpStage::kData},
    {"after pipelined end of data", SmtpStage::kData},
    {"after data", SmtpStage::kData},
    {"after pipelined data", SmtpStage::kData},
    {"after initial connection", SmtpStage::kConnect},
    {"after helo", SmtpStage::kHelo},
    {"after ehlo", SmtpStage::kHelo},
    {"refused to talk to me", SmtpStage::kConnect},
    {"did not like our rcpt", SmtpStage::kRcpt},
    {"did not like our mail", SmtpStage::kMail},
    {"did not like our data", SmtpStage::kData},
    {"does not like recipient", SmtpStage::kRcpt},
    {"sender was rejected", SmtpStage::kMail},
    {"failed after i sent the message", SmtpStage::kData},
    {"but my name was rejected", SmtpStage::kHelo},
    {"<<< rcpt to", SmtpStage::kRcpt},
    {"greeting failed", SmtpStage::kConnect},
    {">>> rcpt to", SmtpStage::kRcpt},
    {">>> mail from", SmtpStage::kMail},
    {">>> data", SmtpStage::kData},
    {">>> helo", SmtpStage::kHelo},
    {">>> ehlo", SmtpStage::kHelo},
    {"smtp:rcpt", SmtpStage::kRcpt},
    {"smtp:mail", SmtpStage::kMail},
    {"smtp:data", SmtpStage::kData},
    {"smtp:helo", SmtpStage::kHelo},
    {"rcpt to generated following response", SmtpStage::kRcpt},
    {"mail from generated following response", SmtpStage::kMail},
    {"data generated following response", SmtpStage::kData},
    {"smtp command data", SmtpStage::kData},
    {"smtp command rcpt", SmtpStage::kRcpt},
    {"in rcpt to", SmtpStage::kRcpt},
    {"[rcpt_to]", SmtpStage::kRcpt},
    {"[mail_from]", SmtpStage::kMail},
    {"[end_of_data]", SmtpStage::kData},
    {"rcpt command", SmtpStage::kRcpt},
    {"end of data", SmtpStage::kData},
    {"(data)", SmtpStage::kData},
    {"(rcpt to)", SmtpStage::kRcpt},
    {"(mail from)", SmtpStage::kMail},
    {"rcpt to:", SmtpStage::kRcpt},
};

const PhraseIndex& stage_index() {
  static const PhraseIndex kIndex = [] {
    std::vector<std::string_view> phrases;
    for (const auto& [sign, stage] : kSigns) phrases.push_back(sign);
    return PhraseIndex(phrases);
  }();
  return kIndex;
}

}  // namespace

NormalText normalize_diagnostic(std::string_view text) {
  const std::string folded = fold(text.substr(0, kMaxDiagnostic));
  const std::string_view in = folded;
  NormalText out;
  out.words.reserve(in.size() + 2);
  out.words = " ";
  for (std::size_t at = 0; at < in.size();) {
    const char c = in[at];
    if (c == 'h') {
      if (const std::size_t length = url_length(in.substr(at)); length > 0) {
        out.urls.append(in.substr(at, length)).append(1, ' ');
        out.words += "url";
        at += length;
        continue;
      }
    } else if (c == '@') {
      drop_local_part(out.words);
      out.words += '@';
      at += 1 + domain_length(in.substr(at + 1));
      continue;
    } else if (is_digit(c) && may_start_code(in, at) && reply_length(in.substr(at)) == 3) {
      std::size_t begin = 0;
      const std::size_t status = status_behind(in, at + 3, begin);
      at = status > 0 ? begin + status : at + 3;
      if (at < in.size() && (in[at] == '-' || in[at] == ' ')) ++at;
      if (at < in.size() && in[at] == ' ' && out.words.back() == ' ') ++at;
      continue;
    }
    if (c != ' ' || out.words.back() != ' ') out.words += c;
    ++at;
  }
  if (out.words.back() != ' ') out.words += ' ';
  return out;
}

ReplyCodes find_codes(std::string_view text) {
  text = text.substr(0, kMaxDiagnostic);
  ReplyCodes first;
  bool has_late = false;
  for (std::size_t at = 0; at < text.size(); ++at) {
    if (!is_digit(text[at]) || !may_start_code(text, at)) continue;
    if (const std::size_t length = status_length(text.substr(at)); length > 0) {
      const std::string_view status = text.substr(at, length);
      // "message expired" says less than the error that kept it waiting.
      if (first.status.empty() || (first.status.ends_with(".4.7") && !has_late)) {
        has_late = !first.status.empty();
        first.status = status;
      }
      at += length;
    } else if (reply_length(text.substr(at)) == 3) {
      std::size_t begin = 0;
      const std::size_t status = status_behind(text, at + 3, begin);
      if (status > 0) {
        ReplyCodes pair{std::string(text.substr(at, 3)), std::string(text.substr(begin, status))};
        const bool agree = pair.status[0] == pair.reply[0];
        if (!pair.status.ends_with(".4.7") && agree && pair.reply[0] != '2') return pair;
        if (first.reply.empty() || first.reply[0] == '2') first = pair;
        at = begin + status - 1;
      } else if (first.reply.empty() || (first.reply[0] == '2' && text[at] != '2')) {
        // In a session the commands before were answered with 250.
        if (!first.reply.empty() && first.status.starts_with('2')) first.status.clear();
        first.reply = text.substr(at, 3);
        at += 2;
      }
    }
  }
  return first;
}

std::string parse_status(std::string_view field) {
  field = trim(field);
  return std::string(field.substr(0, status_length(field)));
}

SmtpStage find_stage(std::string_view text) {
  const PhraseIndex::First sign = stage_index().first(fold(text.substr(0, kMaxDiagnostic)));
  return sign.phrase == PhraseIndex::kNone ? SmtpStage::kUnknown : kSigns[sign.phrase].second;
}

std::string_view find_quoted_reply(std::string_view text) {
  static const PhraseIndex kLeads({"the other server returned was:",
                                   "the response was:",
                                   "the response from the remote server was:",
                                   "remote host said:",
                                   "gave this error:",
                                   "remote server returned '",
                                   "returned '",
                                   "error_code :",
                                   "responded with failure:",
                                   "following error message:",
                                   "error message below:",
                                   "the reason for the problem:",
                                   "the following reason:",
                                   "smtp error from remote mail server after",
                                   "smtp error from remote server after",
                                   "smtp protocol returned a permanent error",
                                   "(reason: ",
                                   "automatically rejected:",
                                   "reason was given:",
                                   "the delivery failure was:",
                                   "server message",
                                   " said: ",
                                   "reason:"});
  const PhraseIndex::First lead = kLeads.first(text.substr(0, kMaxDiagnostic));
  if (lead.phrase == PhraseIndex::kNone) return {};
  // "550 Refused. Reason: spam" is an answer as a whole.
  if (lead.end >= 7 && equals_ignoring_case(text.substr(lead.end - 7, 7), "reason:") &&
      !find_codes(text.substr(0, lead.end - 7)).reply.empty())
    return {};
  std::string_view reply = text.substr(lead.end);
  if (text.substr(0, lead.end).ends_with("(reason: ")) reply = reply.substr(0, reply.find(")\n"));
  return trim(reply);
}

std::string to_lower(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(), lower);
  return out;
}

std::string_view trim(std::string_view text) {
  while (!text.empty() && is_blank(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_blank(text.back())) text.remove_suffix(1);
  return text;
}

bool equals_ignoring_case(std::string_view a, std::string_view b) {
  return a.size() == b.size() && std::equal(a.begin(), a.end(), b.begin(),
                                            [](char x, char y) { return lower(x) == lower(y); });
}

std::vector<std::string_view> split_lines(std::string_view text) {
  std::vector<std::string_view> lines;
  for (std::size_t start = 0; start < text.size();) {
    const std::size_t end = std::min(text.find('\n', start), text.size());
    std::string_view line = text.substr(start, end - start);
    if (line.ends_with('\r')) line.remove_suffix(1);
    lines.push_back(line);
    start = end + 1;
  }
  return lines;
}

}  // namespace ipmit::events
