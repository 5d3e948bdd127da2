// SPDX-License-Identifier: Apache-2.0
#include "events/bounce_address.h"

#include <algorithm>

#include "events/bounce_text.h"

namespace ipmit::events {
namespace {

constexpr std::size_t kMaxAddress = 320;  // RFC 3696 erratum 1690: 64 + 1 + 255

bool is_alnum(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}
bool is_local_char(char c) {
  return is_alnum(c) || static_cast<unsigned char>(c) >= 0x80 ||
         std::string_view(".!#$%&*+/=?^_{|}~-").find(c) != std::string_view::npos;
}
bool is_domain_char(char c) {
  return is_alnum(c) || c == '-' || c == '.' || c == '_' || static_cast<unsigned char>(c) >= 0x80;
}

// Length of a quote, blank or bracket of other scripts that starts at `at`; 0 if none does.
std::size_t separator_length(std::string_view text, std::size_t at) {
  if (static_cast<unsigned char>(text[at]) < 0x80) return 0;
  const std::string_view two = text.substr(at, 2), three = text.substr(at, 3);
  if (two == "\xC2\xA0" || two == "\xC2\xAB" || two == "\xC2\xBB") return 2;
  const bool known =
      two == "\xE3\x80" || two == "\xEF\xBC" || two == "\xEF\xBD" ||
      (two == "\xE2\x80" && three.size() == 3 && three[2] >= '\x98' && three[2] <= '\x9F');
  return known ? three.size() : 0;
}
bool separator_ends(std::string_view text, std::size_t at) {
  return (at >= 3 && separator_length(text, at - 3) == 3) ||
         (at >= 2 && separator_length(text, at - 2) == 2);
}

// Scripts that are written without blanks: a word of theirs may stand right beside an address.
bool is_unspaced(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return byte >= 0xE3 && byte <= 0xED;
}

// An apostrophe is part of a name ("o'neil@example.net"), or a quote in front of one.
bool is_local_part(std::string_view text, std::size_t at) {
  if (text[at] == '\'') return at > 0 && is_alnum(text[at - 1]);
  return is_local_char(text[at]) && !separator_ends(text, at + 1);
}

std::size_t local_begin(std::string_view text, std::size_t at) {
  std::size_t begin = at;
  if (at > 1 && text[at - 1] == '"') {  // quoted local part
    const std::size_t quote = text.rfind('"', at - 2);
    if (quote != std::string_view::npos && at - quote < 66) return quote;
  }
  while (begin > 0 && is_local_part(text, begin - 1)) --begin;
  return begin;
}

bool is_ascii(char c) {
  return static_cast<unsigned char>(c) < 0x80;
}

// Of a local part that runs on from a word of such a script, the ASCII at its end, if there is any.
std::size_t behind_words(std::string_view text, std::size_t begin, std::size_t at) {
  std::size_t ascii = at;
  while (ascii > begin && is_ascii(text[ascii - 1])) --ascii;
  const bool has_word = std::any_of(text.begin() + static_cast<std::ptrdiff_t>(begin),
                                    text.begin() + static_cast<std::ptrdiff_t>(ascii), is_unspaced);
  return has_word && ascii < at ? ascii : begin;
}

// Where the domain behind `begin` ends: at `begin` if there is none.
std::size_t domain_end(std::string_view text, std::size_t begin) {
  if (begin < text.size() && text[begin] == '[') {
    const std::size_t close = text.find(']', begin);
    return close == std::string_view::npos || close - begin > 60 ? begin : close + 1;
  }
  std::size_t end = begin;
  while (end < text.size() && is_domain_char(text[end]) && separator_length(text, end) == 0) {
    if (end > begin && is_unspaced(text[end]) && is_alnum(text[end - 1])) break;
    ++end;
  }
  while (end > begin && !is_alnum(text[end - 1]) &&
         static_cast<unsigned char>(text[end - 1]) < 0x80)
    --end;
  return end;
}

}  // namespace

std::optional<FoundAddress> find_address(std::string_view text, std::size_t from) {
  for (std::size_t at = text.find('@', from); at != std::string_view::npos;
       at = text.find('@', at + 1)) {
    std::size_t begin = local_begin(text, at);
    std::size_t end = domain_end(text, at + 1);
    if (begin < from || begin == at || end == at + 1 || end - begin > kMaxAddress) continue;
    if (std::all_of(text.begin() + static_cast<std::ptrdiff_t>(at),
                    text.begin() + static_cast<std::ptrdiff_t>(end), is_ascii))
      begin = behind_words(text, begin, at);
    FoundAddress found{begin, end, std::string(text.substr(begin, end - begin))};
    const char open = begin > 0 ? text[begin - 1] : ' ';
    const char close = end < text.size() ? text[end] : ' ';
    if ((open == '<' && close == '>') || (open == '"' && close == '"') ||
        (open == '\'' && close == '\'') || (open == '[' && close == ']')) {
      --found.begin;
      ++found.end;
    }
    return found;
  }
  return std::nullopt;
}

std::string address_of(std::string_view value) {
  const std::size_t bracket = value.rfind('<');
  if (bracket != std::string_view::npos)
    if (auto found = find_address(value, bracket)) return found->address;
  const auto found = find_address(value);
  return found ? found->address : std::string();
}

std::string address_alone(std::string_view value) {
  value = trim(value);
  if (const std::size_t semicolon = value.find(';'); semicolon != std::string_view::npos)
    if (value.substr(0, semicolon).find_first_of("@<|/") == std::string_view::npos)
      value = trim(value.substr(semicolon + 1));
  const auto found = find_address(value);
  if (!found || found->begin != 0) return {};
  const std::string_view rest = trim(value.substr(found->end));
  return rest.empty() || rest == "." || rest.front() == '(' || rest.front() == '<' ? found->address
                                                                                   : std::string();
}

std::string address_as_written(std::string_view value) {
  value = trim(value);
  if (const std::size_t semicolon = value.find(';'); semicolon != std::string_view::npos)
    value = trim(value.substr(semicolon + 1));
  if (value.starts_with('<') && value.ends_with('>')) value = value.substr(1, value.size() - 2);
  const std::size_t at = value.find('@');
  const bool fits = at != std::string_view::npos && at > 0 && at + 1 < value.size() &&
                    value.find('@', at + 1) == std::string_view::npos &&
                    value.size() <= kMaxAddress &&
                    std::all_of(value.begin(), value.begin() + static_cast<std::ptrdiff_t>(at),
                                [](char c) { return is_local_char(c) && c != '|' && c != '/'; }) &&
                    std::none_of(value.begin(), value.end(), [](char c) {
                      return static_cast<unsigned char>(c) <= ' ' || c == '<' || c == '>';
                    });
  return fits ? std::string(value) : std::string();
}

std::string domain_of(std::string_view address) {
  const std::size_t at = address.rfind('@');
  return at == std::string_view::npos ? std::string() : to_lower(address.substr(at + 1));
}

std::string_view local_part_of(std::string_view address) {
  return address.substr(0, address.rfind('@'));
}

}  // namespace ipmit::events
