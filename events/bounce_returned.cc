// SPDX-License-Identifier: Apache-2.0
#include "events/bounce_returned.h"

#include <algorithm>
#include <string>
#include <vector>

#include "events/bounce_phrases.h"
#include "events/bounce_text.h"

namespace ipmit::events {
namespace {

bool is_dashes(std::string_view line) {
  return line.find_first_not_of("-=*_#~ \t>") == std::string_view::npos;
}

bool starts_ignoring_case(std::string_view line, std::string_view lower_start) {
  return line.size() >= lower_start.size() &&
         equals_ignoring_case(line.substr(0, lower_start.size()), lower_start);
}

// Whether a line is a field that a message header starts with or holds near its start.
bool is_header_field(std::string_view line) {
  static constexpr std::string_view kNames[] = {"received:",
                                                "return-path:",
                                                "from:",
                                                "to:",
                                                "subject:",
                                                "date:",
                                                "message-id:",
                                                "mime-version:",
                                                "content-type:",
                                                "reply-to:",
                                                "sender:",
                                                "delivered-to:",
                                                "cc:",
                                                "dkim-signature:",
                                                "x-",
                                                "arc-",
                                                "errors-to:",
                                                "from mailer-daemon",
                                                "authentication-results:",
                                                "domainkey-signature:",
                                                "precedence:",
                                                "list-"};
  return std::any_of(std::begin(kNames), std::end(kNames),
                     [&](std::string_view name) { return starts_ignoring_case(line, name); });
}

bool is_mbox_line(std::string_view line) {
  return line.starts_with("From ") && line.size() > 30 &&
         line.find(':') != std::string_view::npos &&
         line.substr(0, line.find(':')).size() + 6 < line.size();
}

bool starts_header(std::string_view line) {
  if (starts_ignoring_case(line, "return-path:")) return true;
  if (!starts_ignoring_case(line, "received:")) return false;
  const std::string_view value = trim(line.substr(9));
  return value.starts_with("from ") || value.starts_with("by ") || value.starts_with("(");
}

bool is_decorated(std::string_view line) {
  line = trim(line);
  return line.starts_with("--") || line.starts_with("|--") || line.starts_with("==") ||
         line.starts_with("**");
}

bool names_message(std::string_view line) {
  static const PhraseIndex kPhrases(
      {"original message",       "original mail",        "copy of the message",
       "copy of your message",   "returned message",     "unsent message",
       "message header",         "message follows",      "headers follow",
       "below this line",        "message text follows", "enclosed is a copy",
       "header of the original", "undelivered message",  "text of your message",
       "your original",          "bounced e-mail",       "message attached",
       "headers of the message", "copy of the original", "initial part of the message"});
  return kPhrases.occurs_in(line.substr(0, 160));
}

// What stands in front of each line of a quoted or indented message.
std::string_view quote_of(std::string_view line) {
  const std::size_t end = line.find_first_not_of("> \t|");
  if (end == 0 || end == std::string_view::npos || !is_header_field(line.substr(end))) return {};
  return line.substr(0, end);
}

std::string without_quotes(std::string_view text, std::string_view quote) {
  std::string out;
  for (const std::string_view line : split_lines(text.substr(0, kMaxPartText))) {
    if (!line.starts_with(quote)) break;
    out.append(line.substr(quote.size())).append(1, '\n');
  }
  return out;
}

bool header_follows(const std::vector<std::string_view>& lines, std::size_t at) {
  std::size_t looked = 0;
  for (std::size_t i = at + 1; i < lines.size() && looked < 8; ++i, ++looked)
    if (!is_dashes(trim(lines[i])))
      return is_header_field(trim(lines[i])) || is_mbox_line(lines[i]) ||
             !quote_of(lines[i]).empty();
  return false;
}

}  // namespace

SplitReport split_report(std::string_view text) {
  const std::vector<std::string_view> lines = split_lines(text);
  for (std::size_t i = 0; i < lines.size(); ++i) {
    const std::string_view line = lines[i];
    const auto offset = static_cast<std::size_t>(line.data() - text.data());
    if (starts_header(line)) return {text.substr(0, offset), text.substr(offset)};
    if (line.size() < 10 || line.size() > 200 || !names_message(line)) continue;
    if (!is_decorated(line) && !header_follows(lines, i)) continue;
    const std::size_t next = std::min(offset + line.size() + 1, text.size());
    return {text.substr(0, offset), text.substr(next)};
  }
  return {text, {}};
}

MailHeaders returned_headers(std::string_view text) {
  for (std::size_t start = 0; start < text.size();) {
    const std::size_t end = std::min(text.find('\n', start), text.size());
    const std::string_view line = trim(text.substr(start, end - start));
    if (!line.empty() && !is_dashes(line) && !line.starts_with("From ") &&
        !line.starts_with("--") && !starts_ignoring_case(line, "content-description:") &&
        !starts_ignoring_case(line, "content-type: message/") &&
        !starts_ignoring_case(line, "content-type: text/rfc822") &&
        !starts_ignoring_case(line, "content-transfer-encoding:") &&
        !starts_ignoring_case(line, "content-disposition:")) {
      const std::string_view quote = quote_of(text.substr(start, end - start));
      return quote.empty() ? parse_headers(text.substr(start))
                           : parse_headers(without_quotes(text.substr(start), quote));
    }
    start = end + 1;
  }
  return {};
}

}  // namespace ipmit::events
