// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "cli/finding.h"
#include "cli/postfix_config.h"
#include "conf/settings.h"

namespace ipmit::cli {

// The parts of `ipmitctl doctor`. Each adds what it found and changes nothing.

// Where Postfix names our milter, as each service will find it. Pure but for look_up.
void check_postfix_filters(const PostfixConfig& postfix, const conf::MilterSettings& settings,
                           Findings& findings);
// The header tables by which Hold, Reroute and Discard act.
void check_header_tables(const PostfixConfig& postfix, Findings& findings);
// Ports on which mail comes back from a content filter.
void check_reentry(const PostfixConfig& postfix, const conf::MilterSettings& settings,
                   Findings& findings);
// Macros that a list in main.cf drops although the milter does not ask for them itself.
void check_macro_lists(const PostfixConfig& postfix, Findings& findings);
// Whether the user `mail_owner` can reach the unix socket.
void check_socket_rights(const conf::MilterSettings& settings, const std::string& mail_owner,
                         Findings& findings);

// Talks to the milter as Postfix does, by its socket. `asks_for_macros`: whether it named the
// macros it wants.
struct HandshakeResult {
  bool answered = false;
  bool asks_for_macros = false;
};
HandshakeResult check_handshake(const conf::MilterSettings& settings, Findings& findings);

// A MAIL command through Postfix at `smtp` ("127.0.0.1:25"), which the milter must count. No mail
// is sent.
void check_probe(const conf::MilterSettings& settings, const std::string& smtp, Findings& findings);

// Where Postfix listens for SMTP, as master.cf says: "127.0.0.1:25"; empty: no smtpd on TCP, or
// behind postscreen.
std::string smtp_endpoint(const PostfixConfig& postfix);

// The filter to write into main.cf for these settings.
std::string wanted_filter(const PostfixConfig& postfix, const conf::MilterSettings& settings);

}  // namespace ipmit::cli
