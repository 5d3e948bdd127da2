// SPDX-License-Identifier: Apache-2.0
#include "policy/smtp_reply.h"

#include <algorithm>

#include "policy/text.h"

namespace ipmit::policy {
namespace {

using common::Problem;
using common::Result;

constexpr std::string_view kTempfailCode = "451", kTempfailEnhanced = "4.7.1";
constexpr std::string_view kRejectCode = "550", kRejectEnhanced = "5.7.1";

std::string quoted(std::string_view text) {
  return '"' + std::string(text.substr(0, 40)) + '"';
}

// 421 would make Postfix close the session, for every recipient.
bool is_reply_code(std::string_view code) {
  return code.size() == 3 && (code[0] == '4' || code[0] == '5') && code[1] >= '0' &&
         code[1] <= '5' && is_digit(code[2]) && code != "421";
}

// RFC 3463 section 2: one to three digits each, no leading zeros.
bool is_enhanced_code(std::string_view code) {
  if (code.size() < 5 || (code[0] != '4' && code[0] != '5') || code[1] != '.') return false;
  const std::string_view rest = code.substr(2);
  const std::size_t dot = rest.find('.');
  if (dot == std::string_view::npos) return false;
  const auto is_number = [](std::string_view digits) {
    return !digits.empty() && digits.size() <= 3 &&
           std::all_of(digits.begin(), digits.end(), is_digit) &&
           (digits.size() == 1 || digits[0] != '0');
  };
  return is_number(rest.substr(0, dot)) && is_number(rest.substr(dot + 1));
}

std::string one_line(std::string_view text, bool permanent) {
  std::string line;
  for (const char c : trim(text)) {
    if (is_blank(c)) {
      if (line.back() != ' ') line += ' ';
    } else {
      line += c > 0x20 && c < 0x7f ? c : '?';
    }
  }
  if (line.size() > SmtpReply::kMaxText) {
    line.resize(SmtpReply::kMaxText - 3);
    line += "...";
  }
  if (line.empty()) line = permanent ? "Refused by local policy" : "Try again later";
  return line;
}

}  // namespace

Result<SmtpReply> SmtpReply::make(std::string_view code, std::string_view enhanced,
                                  std::string_view text) {
  if (!is_reply_code(code))
    return Problem{"reply code " + quoted(code) + " is not one of 4yz and 5yz (421 excepted)"};
  if (!is_enhanced_code(enhanced))
    return Problem{"enhanced status code " + quoted(enhanced) + " is not of the form 4.7.1"};
  if (code[0] != enhanced[0])
    return Problem{"reply code " + quoted(code) + " and enhanced status code " + quoted(enhanced) +
                   " are of different classes"};
  return SmtpReply(std::string(code), std::string(enhanced), one_line(text, code[0] == '5'));
}

SmtpReply SmtpReply::tempfail(std::string_view text) {
  return {std::string(kTempfailCode), std::string(kTempfailEnhanced), one_line(text, false)};
}

SmtpReply SmtpReply::reject(std::string_view text) {
  return {std::string(kRejectCode), std::string(kRejectEnhanced), one_line(text, true)};
}

std::string SmtpReply::milter_text() const {
  std::string doubled;
  for (const char c : text_) {
    doubled += c;
    if (c == '%') doubled += c;
  }
  return doubled;
}

std::string SmtpReply::to_string() const {
  return code_ + ' ' + enhanced_ + ' ' + text_;
}

}  // namespace ipmit::policy
