// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace ipmit::events {

// A failed recipient as the text of a report names it, and what is said about it.
struct TextRecipient {
  std::string address;
  std::string text;   // the lines from its own on to the next recipient
  bool sure = false;  // named in a shape that only reports use, not just mentioned in a sentence
};

// Takes a report apart that is written for people: "<a@b>: reason", an address on a line of its
// own, "550 <a@b>... reason" below a transcript, "Recipient: a@b". Addresses that are only
// mentioned in a sentence about delivery are taken where nothing better is found. Each address
// once, at most kMaxRecipients. `report`: the text without the returned message (split_report).
// Never throws on any bytes.
std::vector<TextRecipient> read_text_report(std::string_view report);

// The mailbox names that a report lists without a domain ("could not be delivered to the following
// recipients:", then a name on a line of its own); at most kMaxRecipients. The rest of such a line
// is taken as its text.
std::vector<TextRecipient> read_bare_names(std::string_view report);

}  // namespace ipmit::events
