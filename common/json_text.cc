// SPDX-License-Identifier: Apache-2.0
#include "common/json_text.h"

#include <array>
#include <charconv>

namespace ipmit::common {
namespace {

// Length of the well-formed UTF-8 sequence at `pos` (Unicode 15 table 3-7), 0 if it is ill-formed.
std::size_t sequence_length(std::string_view text, std::size_t pos) {
  const auto at = [&](std::size_t i) {
    return pos + i < text.size() ? static_cast<unsigned char>(text[pos + i]) : 0U;
  };
  const auto continues = [&](std::size_t i) { return (at(i) & 0xc0U) == 0x80U; };
  const unsigned lead = at(0);
  if (lead < 0x80) return 1;
  if (lead >= 0xc2 && lead <= 0xdf) return continues(1) ? 2 : 0;
  if (lead >= 0xe0 && lead <= 0xef) {
    const unsigned low = lead == 0xe0 ? 0xa0 : 0x80;
    const unsigned high = lead == 0xed ? 0x9f : 0xbf;
    return at(1) >= low && at(1) <= high && continues(2) ? 3 : 0;
  }
  if (lead >= 0xf0 && lead <= 0xf4) {
    const unsigned low = lead == 0xf0 ? 0x90 : 0x80;
    const unsigned high = lead == 0xf4 ? 0x8f : 0xbf;
    return at(1) >= low && at(1) <= high && continues(2) && continues(3) ? 4 : 0;
  }
  return 0;
}

void append_escaped(std::string& out, unsigned char byte) {
  static constexpr char kHex[] = "0123456789abcdef";
  switch (byte) {
    case '"':
      out += "\\\"";
      return;
    case '\\':
      out += "\\\\";
      return;
    case '\n':
      out += "\\n";
      return;
    case '\r':
      out += "\\r";
      return;
    case '\t':
      out += "\\t";
      return;
    default:
      out += "\\u00";
      out += kHex[byte >> 4];
      out += kHex[byte & 15];
  }
}

constexpr bool is_plain(unsigned char byte) {
  return byte >= 0x20 && byte < 0x7f && byte != '"' && byte != '\\';
}

constexpr auto kPlain = [] {
  std::array<bool, 256> table{};
  for (unsigned i = 0; i < 256; ++i) table[i] = is_plain(static_cast<unsigned char>(i));
  return table;
}();

}  // namespace

void append_json_string(std::string& out, std::string_view text) {
  out += '"';
  std::size_t begin = 0;  // of the run that needs no escape
  for (std::size_t pos = 0; pos < text.size();) {
    const auto byte = static_cast<unsigned char>(text[pos]);
    if (kPlain[byte]) {
      ++pos;
      continue;
    }
    out.append(text, begin, pos - begin);
    if (byte < 0x80) {
      append_escaped(out, byte);
      ++pos;
    } else if (const std::size_t length = sequence_length(text, pos); length != 0) {
      out.append(text, pos, length);
      pos += length;
    } else {
      out += "\xef\xbf\xbd";
      ++pos;
    }
    begin = pos;
  }
  out.append(text, begin, text.size() - begin);
  out += '"';
}

void JsonObjectText::begin(std::string_view key) {
  if (!first_) out_ += ',';
  first_ = false;
  out_ += '"';
  out_ += key;
  out_ += "\":";
}

void JsonObjectText::always_text(std::string_view key, std::string_view value) {
  begin(key);
  append_json_string(out_, value);
}

void JsonObjectText::number(std::string_view key, std::uint64_t value) {
  begin(key);
  char digits[20];
  const auto end = std::to_chars(digits, digits + sizeof digits, value).ptr;
  out_.append(digits, end);
}

void JsonObjectText::boolean(std::string_view key, bool value) {
  begin(key);
  out_ += value ? "true" : "false";
}

void JsonObjectText::raw(std::string_view key, std::string_view json) {
  begin(key);
  out_ += json;
}

}  // namespace ipmit::common
