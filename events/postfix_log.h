// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "common/clock.h"

namespace ipmit::events {

// What a line of the mail log says. Only kDelivery and kExpired lead to delivery events.
enum class LogKind : std::uint8_t {
  kOther,         // not needed, not Postfix, or not readable
  kDelivery,      // to=<…>, …, status=… : the outcome of one attempt for one recipient
  kQueueActive,   // from=<…>, size=…, nrcpt=… (queue active)
  kExpired,       // from=<…>, status=expired, returned to sender
  kRemoved,       // the queue file is gone
  kMessageId,     // message-id=<…>
  kClient,        // client=name[address], sasl_username=…
  kBounceNotice,  // sender non-delivery notification: QUEUEID
  kPickup,        // uid=… from=<…> : a local submission
  kRefusal,       // reject, milter-reject, … : never a delivery event
};

// kPickup and kRefusal print as "other": they are ours, not part of the documented vocabulary.
std::string_view to_string(LogKind kind);

// One line taken apart. Every view points into the line that was parsed and lives as long as it
// does; what the line does not have is empty, or zero. Text is as Postfix wrote it, unescaped and
// unchecked.
struct LogRecord {
  LogKind kind = LogKind::kOther;
  bool truncated = false;        // a delivery whose text was cut before its closing parenthesis
  bool own_refusal = false;      // kRefusal: the reply carries ipmit's mark
  bool milter_refusal = false;   // kRefusal: said by a milter, else by Postfix's own restrictions
  std::uint16_t relay_port = 0;  // 0 for a unix socket or where the relay is no host
  std::int32_t pid = -1;         // -1: not logged
  std::uint32_t conn_use = 0;    // 0: not logged
  std::uint32_t recipient_count = 0;  // nrcpt
  std::uint64_t size_bytes = 0;

  std::string_view timestamp;  // as written, empty for a line without header
  std::string_view host;
  std::string_view program;   // "postfix/submission/smtpd"
  std::string_view instance;  // "postfix": syslog_name up to the first slash
  std::string_view service;   // "smtpd": the daemon
  std::string_view message;   // all after the header
  std::string_view queue_id;

  std::string_view recipient, orig_to;
  std::string_view relay, relay_host, relay_address;  // relay_address: IP or socket path
  std::string_view delay, delays;                     // "45", "0.03/0/5.1/40": seconds
  std::string_view enhanced_code;                     // dsn=
  std::string_view status;                            // "deferred"
  std::string_view text;                              // inside the outer parentheses

  std::string_view sender;  // empty also for the null sender; meant for kinds that have one
  std::string_view message_id;
  std::string_view client_name, client_address, sasl_user;
  std::string_view notice, notice_queue_id;

  // Set where the transport of the line knows better than the text (journald, container logs).
  std::optional<common::TimePoint> time;
};

// Reads one line without its newline: RFC 3164 or RFC 3339 time stamps, RFC 5424 headers, a leading
// <PRI>, or no header at all (then only the message fields are set). Never fails, allocates
// nothing, takes time linear in the length of the line; a line it cannot read is kOther.
LogRecord parse_log_line(std::string_view line);

// The part after the header, for sources that carry the header apart. `service` empty = unknown;
// else only lines that this daemon writes are believed, so that no other program's line can look
// like a delivery.
void parse_log_message(std::string_view message, LogRecord& record);

// Sets program, instance and service from a syslog tag without pid ("postfix-out/smtp").
void set_program(std::string_view tag, LogRecord& record);

// The server's reply inside the text of a delivery: after "said: " or "refused to talk to me: ", or
// at the start. code 0: there is none (time-out, DNS, local delivery).
struct LoggedReply {
  std::uint16_t code = 0;
  std::string_view enhanced_code;
};
LoggedReply find_reply(std::string_view text);

// Whether `text` is a time span as Postfix logs it ("45", "0.57"), which is a JSON number, too.
bool is_log_seconds(std::string_view text);

// Appends one JSON object without newline, with the names of docs/delivery-events.md: what
// `ipmitctl parse log --lines` prints.
void append_json(std::string& out, const LogRecord& record);

// ipmit's replies name the mitigation and its end: "… (ipmit mail/det-7f3a until
// 2026-11-25T18:00Z)".
bool has_ipmit_mark(std::string_view text);

}  // namespace ipmit::events
