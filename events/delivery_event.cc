// SPDX-License-Identifier: Apache-2.0
#include "events/delivery_event.h"

#include <algorithm>
#include <bit>
#include <charconv>

namespace ipmit::events {
namespace {

// Seconds with up to three decimals, as a JSON number.
std::string_view seconds_text(common::Duration duration, std::array<char, 32>& buffer) {
  const auto ms = duration.count();
  char* end = std::to_chars(buffer.data(), buffer.data() + 24, ms / 1000).ptr;
  if (auto fraction = static_cast<unsigned>(ms % 1000); fraction != 0) {
    *end++ = '.';
    for (const unsigned unit : {100U, 10U, 1U}) {
      if (fraction == 0) break;
      *end++ = static_cast<char>('0' + fraction / unit);
      fraction %= unit;
    }
  }
  return {buffer.data(), static_cast<std::size_t>(end - buffer.data())};
}

void append_delays(common::JsonObjectText& json, const DeliveryEvent& event) {
  std::array<char, 32> buffer{};
  json.raw("delay", seconds_text(event.delay, buffer));
  std::array<char, 160> list{};
  std::size_t size = 0;
  for (const common::Duration part : event.delays) {
    list[size] = size == 0 ? '[' : ',';
    ++size;
    const std::string_view text = seconds_text(part, buffer);
    size += text.copy(list.data() + size, text.size());
  }
  list[size++] = ']';
  json.raw("delays", {list.data(), size});
}

char* put_digits(char* out, unsigned value, int count) {
  for (int i = count; i-- > 0; value /= 10) out[i] = static_cast<char>('0' + value % 10);
  return out + count;
}

// As common::to_rfc3339, quoted, without an allocation.
std::string_view time_text(common::TimePoint time, std::array<char, 32>& buffer) {
  const auto day = std::chrono::floor<std::chrono::days>(time);
  const std::chrono::year_month_day date(day);
  const auto ms = static_cast<unsigned>((time - day).count());
  char* out = buffer.data();
  *out++ = '"';
  out = put_digits(out, static_cast<unsigned>(static_cast<int>(date.year())), 4);
  *out++ = '-';
  out = put_digits(out, static_cast<unsigned>(date.month()), 2);
  *out++ = '-';
  out = put_digits(out, static_cast<unsigned>(date.day()), 2);
  *out++ = 'T';
  out = put_digits(out, ms / 3'600'000, 2);
  *out++ = ':';
  out = put_digits(out, ms / 60'000 % 60, 2);
  *out++ = ':';
  out = put_digits(out, ms / 1000 % 60, 2);
  if (ms % 1000 != 0) {
    *out++ = '.';
    out = put_digits(out, ms % 1000, 3);
  }
  *out++ = 'Z';
  *out++ = '"';
  return {buffer.data(), static_cast<std::size_t>(out - buffer.data())};
}

}  // namespace

std::string_view to_string(DeliveryStatus status) {
  switch (status) {
    case DeliveryStatus::kSent:
      return "sent";
    case DeliveryStatus::kDeferred:
      return "deferred";
    case DeliveryStatus::kBounced:
      return "bounced";
    case DeliveryStatus::kExpired:
      return "expired";
    case DeliveryStatus::kDeliverable:
      return "deliverable";
    case DeliveryStatus::kUndeliverable:
      return "undeliverable";
    case DeliveryStatus::kUnknown:
      break;
  }
  return "unknown";
}

DeliveryStatus to_delivery_status(std::string_view word) {
  for (const DeliveryStatus status :
       {DeliveryStatus::kSent, DeliveryStatus::kDeferred, DeliveryStatus::kBounced,
        DeliveryStatus::kExpired, DeliveryStatus::kDeliverable, DeliveryStatus::kUndeliverable}) {
    if (word == to_string(status)) return status;
  }
  return word.starts_with("undeliverable") ? DeliveryStatus::kUndeliverable
                                           : DeliveryStatus::kUnknown;
}

std::string_view to_string(EventOrigin origin) {
  switch (origin) {
    case EventOrigin::kDestination:
      return "destination";
    case EventOrigin::kLocalPolicy:
      return "local_policy";
    case EventOrigin::kIpmit:
      break;
  }
  return "ipmit";
}

std::optional<EventOrigin> parse_event_origin(std::string_view word) {
  for (const EventOrigin origin :
       {EventOrigin::kDestination, EventOrigin::kLocalPolicy, EventOrigin::kIpmit})
    if (word == to_string(origin)) return origin;
  return std::nullopt;
}

std::optional<EventSource> parse_event_source(std::string_view word) {
  for (const EventSource source : {EventSource::kLog, EventSource::kMail, EventSource::kProvider})
    if (word == to_string(source)) return source;
  return std::nullopt;
}

std::string_view to_string(EventSource source) {
  switch (source) {
    case EventSource::kLog:
      return "log";
    case EventSource::kMail:
      return "mail";
    case EventSource::kProvider:
      break;
  }
  return "provider";
}

void append_json(std::string& out, const DeliveryEvent& event) {
  common::JsonObjectText json(out);
  add_members(json, event);
  json.finish();
}

void add_members(common::JsonObjectText& json, const DeliveryEvent& event) {
  json.number("v", 1);
  json.text("event_id", event.event_id);
  std::array<char, 32> buffer{};
  json.raw("time", time_text(event.time, buffer));
  json.text("host", event.host);
  json.text("instance", event.instance);
  json.text("service", event.service);
  json.text("queueid", event.queue_id);
  json.text("message_id", event.message_id);
  json.text("client_name", event.client_name);
  json.text("client_address", event.client_address);
  json.text("sasl_user", event.sasl_user);
  if (event.sender_known) json.always_text("sender", event.sender);
  json.always_text("recipient", event.recipient);
  json.text("orig_to", event.orig_to);
  json.text("relay", event.relay);
  if (!event.relay_host.empty() || !event.relay_address.empty()) {
    json.always_text("relay_host", event.relay_host);
    json.always_text("relay_ip", event.relay_address);
    json.number("relay_port", event.relay_port);
  }
  json.text("dsn", event.enhanced_code);
  if (event.reply_code != 0) json.number("reply_code", event.reply_code);
  json.always_text("status", to_string(event.status));
  json.always_text("text", event.text);
  if (event.text_truncated) json.boolean("text_truncated", true);
  json.always_text("origin", to_string(event.origin));
  if (event.attempt != 0) json.number("attempt", event.attempt);
  if (event.conn_use != 0) json.number("conn_use", event.conn_use);
  if (event.size_bytes != 0) json.number("size", event.size_bytes);
  append_delays(json, event);
  json.boolean("joined", event.joined);
  json.always_text("source", to_string(event.source));
  if (event.line != 0) json.number("line", event.line);
}

void EventIdBuilder::mix(std::uint64_t word) {
  first_ = std::rotl((first_ ^ word) * 0xff51afd7ed558ccdU, 31);
  second_ = (std::rotl(second_, 27) + word) * 0xc4ceb9fe1a85ec53U;
  second_ ^= second_ >> 29;
}

EventIdBuilder& EventIdBuilder::add(std::string_view part) {
  mix(part.size());  // so that ("ab", "c") and ("a", "bc") differ
  std::size_t pos = 0;
  while (pos < part.size()) {
    std::uint64_t word = 0;  // little endian on every host
    const std::size_t count = std::min<std::size_t>(8, part.size() - pos);
    for (std::size_t i = 0; i < count; ++i) {
      word |= std::uint64_t{static_cast<unsigned char>(part[pos + i])} << (8 * i);
    }
    mix(word);
    pos += count;
  }
  return *this;
}

EventIdBuilder& EventIdBuilder::add(std::uint64_t part) {
  mix(part);
  return *this;
}

void EventIdBuilder::write(std::string& event_id) const {
  static constexpr char kHex[] = "0123456789abcdef";
  event_id.resize(32);
  std::uint64_t words[2] = {first_ ^ second_, second_ * 0x9e3779b97f4a7c15U ^ first_ >> 7};
  for (std::size_t half = 0; half < 2; ++half) {
    for (std::size_t i = 0; i < 16; ++i) {
      event_id[half * 16 + i] = kHex[words[half] >> 60];
      words[half] <<= 4;
    }
  }
}

}  // namespace ipmit::events
