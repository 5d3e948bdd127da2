// SPDX-License-Identifier: Apache-2.0
#include "schema/record_text.h"

#include <algorithm>

#include "policy/text.h"

namespace ipmit::schema {
namespace {

constexpr std::string_view kReplacement = "\xef\xbf\xbd";  // U+FFFD
constexpr std::string_view kCut = "\xe2\x80\xa6";          // …
constexpr std::size_t kMostEvidence = 16'384;

// Of the UTF-8 character that `text` begins with; 0: it begins with none.
std::size_t character_length(std::string_view text) {
  for (std::size_t length = 1; length <= 4 && length <= text.size(); ++length)
    if (policy::is_utf8(text.substr(0, length))) return length;
  return 0;
}

// RFC 5321 atext and the dot, and what else is seen in local parts; no delimiter of a log line.
bool is_local(char c) {
  const auto byte = static_cast<unsigned char>(c);
  constexpr std::string_view kOther = "!#$%&'*+-/=?^_`{|}~.\\";
  return (byte | 0x20U) - 'a' < 26U || policy::is_digit(c) || byte >= 0x80 ||
         kOther.find(c) != std::string_view::npos;
}

// Where the local part that ends at `at` begins. A quoted one begins at its quote.
std::size_t local_part_start(std::string_view text, std::size_t at) {
  if (at > 1 && text[at - 1] == '"') {
    const std::size_t quote = text.rfind('"', at - 2);
    if (quote != std::string_view::npos) return quote;
  }
  std::size_t start = at;
  while (start > 0 && is_local(text[start - 1])) --start;
  return start;
}

}  // namespace

std::string readable_text(std::string_view bytes, std::size_t most) {
  std::string text;
  while (!bytes.empty()) {
    const std::size_t length = character_length(bytes);
    std::string_view next = length == 0 ? kReplacement : bytes.substr(0, length);
    const auto first = static_cast<unsigned char>(next[0]);
    if ((first < 0x20 && first != '\n' && first != '\t') || first == 0x7f) next = " ";
    bytes.remove_prefix(length == 0 ? 1 : length);
    if (text.size() + next.size() > most) {
      while (text.size() + kCut.size() > most ||
             (!text.empty() && !policy::is_utf8(text)))  // never half a character
        text.pop_back();
      return text.append(kCut);
    }
    text += next;
  }
  return text;
}

std::string readable_evidence(std::string_view bytes) {
  // A report may be large; no more of it is looked at than could be kept.
  const std::string_view part = bytes.substr(0, 2 * kMostEvidence);
  std::string masked;
  std::size_t taken = 0;
  for (std::size_t at = part.find('@'); at != std::string_view::npos; at = part.find('@', at + 1)) {
    const std::size_t start = std::max(local_part_start(part, at), taken);
    masked.append(part.substr(taken, start - taken));
    if (start < at) masked += '*';
    taken = at;
  }
  masked.append(part.substr(taken));
  return readable_text(masked, kMostEvidence);
}

}  // namespace ipmit::schema
