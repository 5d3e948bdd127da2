// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace ipmit::events {

// A Content-Type field (RFC 2045 section 5): what a reader of reports asks of it.
struct ContentType {
  std::string type;         // "text/plain", lower case
  std::string boundary;     // of a multipart; empty if there is none
  std::string charset;      // lower case
  std::string report_type;  // "delivery-status", lower case

  bool is_multipart() const { return type.starts_with("multipart/"); }
};

// `value`: of the field, folded or not. Only the form that nearly all mails have, which needs no
// parser: tokens and quoted strings of plain ASCII. Comments, RFC 2231, RFC 2047, backslashes,
// what is missing or said twice give nothing.
std::optional<ContentType> read_plain_content_type(std::string_view value);

}  // namespace ipmit::events
