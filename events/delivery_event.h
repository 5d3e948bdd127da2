// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "common/clock.h"
#include "common/json_text.h"

namespace ipmit::events {

enum class DeliveryStatus : std::uint8_t {
  kUnknown,  // a word Postfix does not document
  kSent,
  kDeferred,
  kBounced,
  kExpired,        // given up after the queue lifetime
  kDeliverable,    // an address probe
  kUndeliverable,  // an address probe
};
std::string_view to_string(DeliveryStatus status);
// "undeliverable-but-not-cached" is kUndeliverable.
DeliveryStatus to_delivery_status(std::string_view word);

// Whose decision the outcome was. Only kDestination may ever count as evidence.
enum class EventOrigin : std::uint8_t {
  kDestination,  // the recipient's server, its DNS, or the mailbox here
  kLocalPolicy,  // this host's own configuration: error and discard transports, TLS required, loops
  kIpmit,        // a refusal of ipmit, of this host or of another one behind it
};
std::string_view to_string(EventOrigin origin);
std::optional<EventOrigin> parse_event_origin(std::string_view word);

enum class EventSource : std::uint8_t { kLog, kMail, kProvider };
std::string_view to_string(EventSource source);
std::optional<EventSource> parse_event_source(std::string_view word);

// One outcome for one recipient, whatever told it: the fields of docs/delivery-events.md and
// schema/delivery_event.schema.json. Empty text and zero mean "not known", but for the null sender,
// which is an empty `sender` with `sender_known`. A value; copy it to keep it: the tracker and the
// readers fill the same one again and again.
struct DeliveryEvent {
  // 32 hexadecimal digits, the same whenever the same line is read again: events are delivered at
  // least once, and this is what tells a repetition.
  std::string event_id;
  common::TimePoint time{};
  DeliveryStatus status = DeliveryStatus::kUnknown;
  EventOrigin origin = EventOrigin::kDestination;
  EventSource source = EventSource::kLog;
  bool joined = false;  // the message's own lines were seen: sender and client are meaningful
  bool sender_known = false;

  std::string host;      // of the log line
  std::string instance;  // egress: syslog_name of the process that delivered
  std::string service;   // "smtp"
  std::string queue_id;
  std::string message_id;

  std::string client_name, client_address, sasl_user;
  std::string sender, recipient, orig_to;

  std::string relay, relay_host, relay_address;  // relay_address: IP or socket path
  std::uint16_t relay_port = 0;
  std::uint16_t reply_code = 0;
  std::string enhanced_code;  // "5.1.1": dsn=, Postfix's view of the reply
  std::string text;           // without the outer parentheses
  bool text_truncated = false;

  std::uint32_t attempt = 0;   // how often the message was taken up, 1 = first
  std::uint32_t conn_use = 0;  // deliveries over the same connection
  std::uint64_t size_bytes = 0;
  common::Duration delay{};                  // since arrival
  std::array<common::Duration, 4> delays{};  // before queue, in queue, connection, transmission

  std::uint64_t line = 0;  // number of the log line, from 1, where lines are counted

  bool counts_as_evidence() const { return origin == EventOrigin::kDestination; }
};

// Appends one JSON object without newline (version 1 of the schema). read_delivery_event() of
// provider/provider_events.h reads it back.
void append_json(std::string& out, const DeliveryEvent& event);
void add_members(common::JsonObjectText& json, const DeliveryEvent& event);

// A text for DeliveryEvent::event_id from whatever identifies the outcome. Stable across versions,
// hosts and compilers. Not cryptographic: it tells repetitions, not forgeries.
class EventIdBuilder {
 public:
  EventIdBuilder& add(std::string_view part);
  EventIdBuilder& add(std::uint64_t part);
  void write(std::string& event_id) const;

 private:
  void mix(std::uint64_t word);
  std::uint64_t first_ = 0x9e3779b97f4a7c15U;
  std::uint64_t second_ = 0xd1b54a32d192ed03U;
};

}  // namespace ipmit::events
