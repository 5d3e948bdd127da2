// SPDX-License-Identifier: Apache-2.0
// ipmit's own delivery events: the inverse of append_json(DeliveryEvent).
#include <charconv>
#include <cmath>
#include <limits>

#include "events/bounce_text.h"
#include "events/provider/provider_outcome.h"
#include "policy/ip_address.h"

namespace ipmit::events {
namespace {

constexpr double kMaxDelay = 1e9;  // seconds: thirty years

template <typename Number>
Number number(const JsonView& view, std::uint64_t least, std::uint64_t most) {
  if (!view.exists()) return 0;
  const std::uint64_t value = view.natural();
  if (view.is_text() || value < least || value > most) {
    view.complain("has to be a whole number from " + std::to_string(least) + " to " +
                  std::to_string(most));
    return 0;
  }
  return static_cast<Number>(value);
}

common::Duration seconds(const JsonView& view) {
  if (!view.exists()) return {};
  const double value = view.real();
  if (!(value >= 0 && value <= kMaxDelay)) {
    view.complain("has to be a number of seconds");
    return {};
  }
  return common::Duration(std::llround(value * 1000));
}

std::string optional_text(const JsonView& view, std::size_t most = 1024) {
  if (!view.exists()) return {};
  if (!view.is_text()) view.complain("has to be a text");
  std::string text = view.text();
  if (text.size() > most) view.complain("is longer than " + std::to_string(most) + " bytes");
  return text;
}

template <typename Value, typename Parse>
Value choice(const JsonView& view, Parse parse, Value otherwise) {
  if (!view.exists()) return otherwise;
  const std::string word = view.need_text();
  const auto value = parse(word);
  if (!value) view.complain("\"" + word.substr(0, 80) + "\" is not allowed here");
  return value.value_or(otherwise);
}

std::optional<DeliveryStatus> exact_status(std::string_view word) {
  if (word == "unknown") return DeliveryStatus::kUnknown;
  const DeliveryStatus status = to_delivery_status(word);
  if (word != to_string(status)) return std::nullopt;
  return status;
}

void read_parties(const JsonView& record, DeliveryEvent& event) {
  event.client_name = optional_text(record["client_name"]);
  event.client_address = optional_text(record["client_address"]);
  if (!event.client_address.empty() && !policy::IpAddress::parse(event.client_address))
    record["client_address"].complain("is no IP address");
  event.sasl_user = optional_text(record["sasl_user"]);
  event.sender_known = record.has("sender");
  event.sender = optional_text(record["sender"]);
  event.recipient = record["recipient"].need_text();
  if (event.recipient.size() > 4096) record["recipient"].complain("is longer than 4096 bytes");
  event.orig_to = optional_text(record["orig_to"]);
}

void read_answer(const JsonView& record, DeliveryEvent& event) {
  event.relay = optional_text(record["relay"]);
  event.relay_host = optional_text(record["relay_host"]);
  event.relay_address = optional_text(record["relay_ip"]);
  event.relay_port = number<std::uint16_t>(record["relay_port"], 0, 65535);
  event.enhanced_code = optional_text(record["dsn"]);
  if (!event.enhanced_code.empty() && parse_status(event.enhanced_code) != event.enhanced_code)
    record["dsn"].complain("is no enhanced status code such as 5.1.1");
  event.reply_code = number<std::uint16_t>(record["reply_code"], 200, 599);
  event.text = optional_text(record["text"], 64 * 1024);
  event.text_truncated = record["text_truncated"].flag();
}

void read_figures(const JsonView& record, DeliveryEvent& event) {
  constexpr auto kMax32 = std::numeric_limits<std::uint32_t>::max();
  event.attempt = number<std::uint32_t>(record["attempt"], 1, kMax32);
  event.conn_use = number<std::uint32_t>(record["conn_use"], 1, kMax32);
  event.size_bytes =
      number<std::uint64_t>(record["size"], 0, std::numeric_limits<std::int64_t>::max());
  event.line = number<std::uint64_t>(record["line"], 1, std::numeric_limits<std::int64_t>::max());
  event.delay = seconds(record["delay"]);
  if (!record.has("delays")) return;
  const auto parts = record["delays"].items();
  if (parts.size() != event.delays.size())
    return record["delays"].complain("has to be a list of four numbers");
  for (std::size_t i = 0; i < parts.size(); ++i) event.delays[i] = seconds(parts[i]);
}

}  // namespace

DeliveryEvent read_ipmit(const JsonView& record) {
  DeliveryEvent event;
  if (record["v"].natural() != 1) record["v"].complain("has to be 1");
  event.event_id = record["event_id"].need_text();
  if (event.event_id.size() > 128) record["event_id"].complain("is longer than 128 bytes");
  event.time = record["time"].need_time();
  if (!record.has("status")) record["status"].complain("missing");
  event.status = choice(record["status"], exact_status, DeliveryStatus::kUnknown);
  event.origin = choice(record["origin"], parse_event_origin, EventOrigin::kDestination);
  if (!record.has("source")) record["source"].complain("missing");
  event.source = choice(record["source"], parse_event_source, EventSource::kProvider);
  event.joined = record["joined"].flag();
  event.host = optional_text(record["host"]);
  event.instance = optional_text(record["instance"]);
  event.service = optional_text(record["service"]);
  event.queue_id = optional_text(record["queueid"]);
  event.message_id = optional_text(record["message_id"]);
  read_parties(record, event);
  read_answer(record, event);
  read_figures(record, event);
  return event;
}

common::Result<DeliveryEvent> read_delivery_event(std::string_view json) {
  const auto parsed = parse_json(json);
  if (!parsed) return common::Problem{parsed.problem()};
  std::optional<std::string> problem;
  DeliveryEvent event = read_ipmit(JsonView(*parsed, problem));
  if (problem) return common::Problem{*problem};
  return event;
}

}  // namespace ipmit::events
