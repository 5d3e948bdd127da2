// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

#include "common/error.h"

namespace ipmit::policy {

// One SMTP reply that Postfix will pass on as it stands: a 4xx or 5xx code, an enhanced status code
// (RFC 3463) of the same class, one line of printable ASCII, at most kMaxText characters. Valid by
// construction, whatever text a rule carries: other bytes become '?', runs of blanks one blank, and
// an over-long text is cut with "...". Postfix answers 451 4.3.5 where a class differs and drops a
// single '%', hence milter_text().
class SmtpReply {
 public:
  static constexpr std::size_t kMaxText = 400;

  // `code` "451", `enhanced` "4.7.1". Problem: not 4xx/5xx (421 included: it would end the session
  // for every recipient), class mismatch, malformed.
  static common::Result<SmtpReply> make(std::string_view code, std::string_view enhanced,
                                        std::string_view text);
  // 451 4.7.1 / 550 5.7.1 with `text`; cannot fail.
  static SmtpReply tempfail(std::string_view text);
  static SmtpReply reject(std::string_view text);

  bool is_permanent() const { return code_.front() == '5'; }
  const std::string& code() const { return code_; }
  const std::string& enhanced() const { return enhanced_; }
  const std::string& text() const { return text_; }
  std::string milter_text() const;  // text() with each '%' doubled, for smfi_setreply
  std::string to_string() const;    // "451 4.7.1 text", as the client reads it

  friend bool operator==(const SmtpReply&, const SmtpReply&) = default;

 private:
  SmtpReply(std::string code, std::string enhanced, std::string text)
      : code_(std::move(code)), enhanced_(std::move(enhanced)), text_(std::move(text)) {}
  std::string code_, enhanced_, text_;
};

}  // namespace ipmit::policy
