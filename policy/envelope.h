// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

namespace ipmit::policy {

// A MAIL or RCPT argument taken apart (RFC 5321 section 4.1.2, and what clients really send). Never
// fails: an address no rule can match has an empty domain. Immutable value.
class EnvelopeAddress {
 public:
  EnvelopeAddress() = default;  // the null sender

  // With or without angle brackets, blanks around; a source route ("<@a,@b:u@c>") is dropped; a
  // quoted local part is unquoted; domain as DomainName, empty if absent or invalid. "<>" and ""
  // are the null sender.
  static EnvelopeAddress parse(std::string_view argument);

  bool is_null() const { return null_; }
  // "postmaster" in any case, with or without domain (RFC 5321 section 4.5.1).
  bool is_postmaster() const;
  const std::string& local_part() const { return local_part_; }
  const std::string& domain() const { return domain_; }  // canonical, see DomainName
  // For logs and keys: "local@domain", local part as sent, "<>" for the null sender.
  std::string to_string() const;

 private:
  bool null_ = true;
  std::string local_part_;
  std::string domain_;
};

}  // namespace ipmit::policy
