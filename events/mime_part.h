// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace ipmit::events {

// Header fields in the order of the mail, without signatures, the traces of filters, and all but
// the first Received. Names are lower case, values unfolded and trimmed; encoded words (RFC 2047)
// are left as they are, see decode_header().
class MailHeaders {
 public:
  void add(std::string name, std::string value);
  // The first field of that (lower-case) name; empty if there is none.
  std::string_view find(std::string_view name) const;
  bool has(std::string_view name) const;
  bool empty() const { return fields_.empty(); }
  const std::vector<std::pair<std::string, std::string>>& fields() const { return fields_; }

 private:
  std::vector<std::pair<std::string, std::string>> fields_;
};

// A leaf of the MIME tree. `text` is decoded and UTF-8 (bytes that are not, are kept), only for
// types that a report may be made of (text, message, JSON); empty for all others. A message/rfc822
// part is a leaf, too: whoever wants what is in it calls parse_headers() or read_mail() on its
// text.
struct MimePart {
  std::string type;  // "text/plain", lower case
  std::string text;
};

// One mail, taken apart. Plain value.
struct Mail {
  MailHeaders headers;
  std::string report_type;  // "delivery-status", "feedback-report": of multipart/report
  std::vector<MimePart> parts;
  bool cut = false;  // a limit below was reached and the rest of the mail was not read
};

// Limits: what lies behind them is not read, and Mail::cut says so. A report is small, and its
// parts come before the returned message.
inline constexpr std::size_t kMaxMailBytes = 4u << 20;     // of the mail as a whole
inline constexpr std::size_t kMaxPartText = 256u << 10;    // bytes of text of one part
inline constexpr std::size_t kMaxBoundaryLines = 1000;     // lines that start with "--"
inline constexpr std::size_t kMaxContainers = 100;         // multiparts
inline constexpr std::size_t kMaxHeaderFields = 500;       // kept of one message
inline constexpr std::size_t kMaxHeaderValue = 16u << 10;  // bytes kept of one value

// MIME (RFC 2045 to 2047): mime_structure.h finds the parts, GMime decodes them; any bytes are a
// mail. Never throws but std::bad_alloc; work and memory are bounded by the limits. Thread-safe. A
// multipart whose boundary never comes is read as one text/plain part, so that nothing gets lost in
// a damaged mail.
Mail read_mail(std::string_view bytes);

// Encoded words to UTF-8.
std::string decode_header(std::string_view value);

// The fields of `text` up to the first line that is not a header field (RFC 5322 section 2.2): used
// for text/rfc822-headers and for returned messages that a report carries as plain text.
MailHeaders parse_headers(std::string_view text);

}  // namespace ipmit::events
