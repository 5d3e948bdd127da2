// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

#include "events/mime_part.h"

namespace ipmit::events {

// The mailing list that `mail` says it did not take a message for, where its list server (fml) says
// so in a mail of its own; empty for all other mail, that which the list distributes included.
// `text`: the mail's text, without the message it returns.
std::string refusing_list(const MailHeaders& mail, std::string_view text);

}  // namespace ipmit::events
