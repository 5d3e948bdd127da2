// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdio>
#include <string>
#include <vector>

// The encodings and structures that mail travels in, to dress a text for a test.
namespace ipmit::events {

inline std::string quoted_printable(const std::string& text) {
  std::string out;
  std::size_t column = 0;
  char code[4];
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    if (text[i] == '\n') {
      out += '\n';
      column = 0;
      continue;
    }
    if (column > 70) {
      out += "=\n";
      column = 0;
    }
    const bool ends_line = i + 1 == text.size() || text[i + 1] == '\n';
    if (byte < 33 || byte > 126 || text[i] == '=' || (text[i] == ' ' && ends_line)) {
      if (text[i] == ' ' && !ends_line) {
        out += ' ';
        ++column;
        continue;
      }
      std::snprintf(code, sizeof code, "=%02X", byte);
      out += code;
      column += 3;
    } else {
      out += text[i];
      ++column;
    }
  }
  return out;
}

inline std::string base64(const std::string& text) {
  static constexpr char kDigits[] =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  for (std::size_t i = 0; i < text.size(); i += 3) {
    unsigned bits = 0;
    for (std::size_t k = 0; k < 3; ++k)
      bits = bits << 8 | (i + k < text.size() ? static_cast<unsigned char>(text[i + k]) : 0U);
    for (std::size_t k = 0; k < 4; ++k)
      out += i + k > text.size() ? '=' : kDigits[bits >> (18 - 6 * k) & 63];
    if (i % 54 == 51) out += '\n';
  }
  return out + '\n';
}

inline std::string as_html(const std::string& text) {
  std::string out = "<html><head><style>p { color: red }</style></head><body><p>";
  for (const char c : text) {
    if (c == '<')
      out += "&lt;";
    else if (c == '>')
      out += "&gt;";
    else if (c == '&')
      out += "&amp;";
    else if (c == '\n')
      out += "<br>\n";
    else
      out += c;
  }
  return out + "</p></body></html>\n";
}

inline std::string part(const std::string& head, const std::string& body) {
  return head + "\n\n" + body;
}

inline std::string multipart(const std::string& type, const std::string& boundary,
                             const std::vector<std::string>& parts) {
  std::string out = "Content-Type: " + type + "; boundary=\"" + boundary + "\"\n\nMIME\n\n";
  for (const std::string& each : parts)
    out.append("--").append(boundary).append("\n").append(each).append("\n");
  return out + "--" + boundary + "--\n";
}

inline std::string with_crlf(const std::string& text) {
  std::string out;
  for (const char c : text) out += c == '\n' ? std::string("\r\n") : std::string(1, c);
  return out;
}

}  // namespace ipmit::events
