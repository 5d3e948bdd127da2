// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "events/mime_part.h"

namespace ipmit::events {

// Whether a mail is an answer that a person's mailbox wrote by itself (RFC 3834: vacation, receipt
// of a ticket system): told by Auto-Submitted, the older fields, or a subject that only such mails
// have. False for mail of a mail system (mailer-daemon, postmaster) and for auto-generated mail
// that answers nobody.
bool is_auto_reply(const MailHeaders& mail);

// Whether the mail was written by a mail system: null return path, or a From of mailer-daemon,
// postmaster and their like.
bool is_from_mail_system(const MailHeaders& mail);
// The same by the address alone, not by the name beside it.
bool has_system_address(const MailHeaders& mail);
// The same, and no person uses the address: "mailer-daemon", not "postmaster".
bool is_from_mailer_daemon(const MailHeaders& mail);

// Nobody is to answer: "<>", or what some systems write in its place, "<MAILER-DAEMON@…>".
bool has_null_return_path(const MailHeaders& mail);

}  // namespace ipmit::events
