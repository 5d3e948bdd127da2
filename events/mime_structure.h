// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>
#include <vector>

#include "events/content_type.h"

namespace ipmit::events {

// A leaf of the MIME tree as it stands in the mail.
struct RawPart {
  ContentType type;
  std::string_view encoding;  // value of Content-Transfer-Encoding, folded; empty if there is none
  std::string_view body;      // still encoded, without the line end that belongs to the boundary
  bool is_preamble = false;   // what stands in place of the parts of a multipart without any
};

// Where the parts of a mail lie (RFC 2046 section 5.1). Views into the mail.
struct MimeStructure {
  ContentType type;  // of the mail
  std::vector<RawPart> leaves;
  bool cut = false;  // a limit of mime_part.h was reached
};

// `read_type` is given the value of a Content-Type field, folded, and must know any. A boundary
// ends whatever stands open inside it, a header included; lines of a header that are no fields are
// passed over; a multipart without any part is a leaf of type text/plain. One pass over the mail.
using ReadContentType = ContentType (*)(std::string_view value);
MimeStructure find_parts(std::string_view mail, ReadContentType read_type);

}  // namespace ipmit::events
