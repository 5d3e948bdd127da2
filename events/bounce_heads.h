// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

// The lines of a report that name a failed recipient.
namespace ipmit::events {

// How surely a line is about a failed recipient: mentioned in a sentence, an address at its
// beginning, in a shape that only reports use, behind the reply code of a transcript.
enum class Strength { kNone, kMention, kLine, kHead, kReplyHead };

struct Head {
  Strength strength = Strength::kNone;
  std::string address;
  std::string_view rest;  // of the line, behind the address
};
Head head_of(std::string_view line);

// "(expanded from: <a@b>)" of Sendmail: the address the sender used, of a recipient that an alias
// led to.
std::string expanded_from(std::string_view line);

// "an undisclosed address" of Exim, and the line below it that tells the one that led there.
bool is_undisclosed(std::string_view line);
Head undisclosed_head(std::string_view line);

// Says that the lines below name the recipients.
bool announces_recipients(std::string_view line);

// Says that the lines below describe the message, not the failure.
bool describes_message(std::string_view line);

// The word a line consists of, if it may be the name of a mailbox, with an explanation at most in
// brackets, behind two blanks or a tab; empty otherwise.
std::string_view bare_name(std::string_view line);

}  // namespace ipmit::events
