// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "policy/smtp_reply.h"

namespace ipmit::milter {

// One change of a message's header. Only at end of message; done in order.
struct HeaderEdit {
  enum class Kind : std::uint8_t {
    kInsertFirst,  // above everything, Postfix's own Received included
    kAdd,          // at the end
    kDelete,       // the first one of this name
  };
  Kind kind;
  std::string name;
  std::string value;  // folded by LF and TAB; empty for kDelete
};

// What Postfix is told. Without a reply the dialogue goes on.
struct Verdict {
  std::optional<policy::SmtpReply> reply;
  std::vector<HeaderEdit> edits;
};

}  // namespace ipmit::milter
