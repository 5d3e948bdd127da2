// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "common/error.h"
#include "events/bounce_rules.h"
#include "events/delivery_event.h"
#include "events/mail_report.h"
#include "events/provider/json_pieces.h"

namespace ipmit::events {

// Who tells by JSON what became of mail. docs/provider-events.md says what is read of each.
enum class Provider : std::uint8_t { kSes, kSendgrid, kMailgun, kPostmark, kKumomta, kIpmit };
std::string_view to_string(Provider provider);  // "ses", "sendgrid", …
std::optional<Provider> parse_provider(std::string_view name);

// What a provider told of one recipient, in the terms of the mail log and of mails: both views of
// the same fact. `event` is what counts deliveries, and `result` what can be attributed and carries
// the class. For a complaint the status of `event` is kUnknown.
struct ProviderRecord {
  DeliveryEvent event;
  MailResult result;
};
// One JSON object without newline: a delivery event with its class, or for a complaint the members
// of a result of `parse mail`.
void append_json(std::string& out, const ProviderRecord& record);

// Reads the JSON of providers as it comes: webhook bodies, exports and logs, one object or many
// (json_pieces.h). A record of a provider that cannot be used is told once, with its place and the
// reason, and counted; the others are not touched by it. No signature is checked: that is for
// whoever received the request.
//
// Memory is bounded by JsonPieces and kMaxRecipients. One thread at a time. Does not block; throws
// nothing but std::bad_alloc. `rules` must outlive this, or until use() gives others.
class ProviderReader {
 public:
  struct Counters {
    std::uint64_t records = 0;  // objects of the input, bad ones included
    std::uint64_t events = 0;   // given to the sink
    std::uint64_t ignored = 0;  // of a kind that says nothing about delivery: opens, clicks, …
    std::uint64_t confirmations = 0;  // of a subscription: see Sinks::confirmation
    std::uint64_t bad = 0;
  };
  struct Sinks {
    std::function<void(const ProviderRecord&)> event;
    // "record 3, line 12: bounce.timestamp: missing"
    std::function<void(const std::string&)> problem;
    // Amazon SNS sends nothing until somebody has opened this address. May be empty.
    std::function<void(const std::string& url)> confirmation;
  };

  // `provider` unset: told by the form of each record.
  ProviderReader(std::optional<Provider> provider, const BounceRules& rules, Sinks sinks);

  void use(const BounceRules& rules) { rules_ = &rules; }
  void add(std::string_view bytes) { pieces_.add(bytes); }
  void finish() { pieces_.finish(); }

  const Counters& counters() const { return counters_; }

 private:
  void read_piece(std::string_view text, std::uint64_t line);
  void fault(std::uint64_t line, std::string_view reason);

  std::optional<Provider> provider_;
  const BounceRules* rules_;
  Sinks sinks_;
  JsonPieces pieces_;
  Counters counters_;
};

// The inverse of append_json(out, DeliveryEvent): version 1 of schema/delivery_event.schema.json.
// Problem: "time: missing"; members that are not known are ignored.
common::Result<DeliveryEvent> read_delivery_event(std::string_view json);

}  // namespace ipmit::events
