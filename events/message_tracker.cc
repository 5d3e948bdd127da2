// SPDX-License-Identifier: Apache-2.0
#include "events/message_tracker.h"

#include <charconv>
#include <utility>

#include "events/deferred_list.h"
#include "events/log_origin.h"

namespace ipmit::events {
namespace {

using std::string_view;

// "12", "0.57" seconds as Postfix logs them; nonsense is zero, and a day count of ages is capped.
common::Duration to_duration(string_view text) {
  std::uint64_t whole = 0;
  const char* end = text.data() + text.size();
  auto [next, error] = std::from_chars(text.data(), end, whole);
  if (error != std::errc{} || whole > 1'000'000'000) return {};
  std::uint64_t ms = whole * 1000;
  if (next != end && *next == '.') {
    std::uint64_t unit = 100;
    for (++next; next != end && *next >= '0' && *next <= '9'; ++next, unit /= 10) {
      ms += static_cast<std::uint64_t>(*next - '0') * unit;
    }
  }
  return common::Duration(static_cast<std::int64_t>(ms));
}

std::array<common::Duration, 4> to_delays(string_view text) {
  std::array<common::Duration, 4> delays{};
  for (common::Duration& delay : delays) {
    const std::size_t end = text.find('/');
    delay = to_duration(text.substr(0, end));
    text.remove_prefix(end == string_view::npos ? text.size() : end + 1);
  }
  return delays;
}

}  // namespace

MessageTracker::MessageTracker(const Limits& limits, Sink sink)
    : sink_(std::move(sink)), table_(limits.messages, limits.bytes) {}

MessageTracker::Counters MessageTracker::counters() const {
  Counters counters = counters_;
  counters.forgotten = table_.forgotten();
  return counters;
}

void MessageTracker::add(const LogRecord& record, common::TimePoint time, std::uint64_t line) {
  ++counters_.records;
  switch (record.kind) {
    case LogKind::kDelivery:
      return deliver(record, time, line);
    case LogKind::kQueueActive:
      return set_active(record);
    case LogKind::kClient:
    case LogKind::kPickup:
      return start(record);
    case LogKind::kMessageId:
      return set_message_id(record);
    case LogKind::kRemoved:
      return remove(record);
    case LogKind::kExpired:
      return expire(record, time, line);
    case LogKind::kRefusal:
      ++(record.own_refusal      ? counters_.own_refusals
         : record.milter_refusal ? counters_.milter_refusals
                                 : counters_.local_refusals);
      return;
    case LogKind::kBounceNotice:
    case LogKind::kOther:
      return;
  }
}

void MessageTracker::set(std::uint32_t index, MessageSlot::Field field, string_view value) {
  if (!table_[index].set(field, value)) ++counters_.too_long;
}

// The first line of a queue file: whatever had that id before is over.
void MessageTracker::start(const LogRecord& record) {
  const auto found = table_.find(record.host, record.instance, record.queue_id);
  if (found.exact) {
    if (!table_[found.index].removed) ++counters_.reused;
    table_.erase(found.index);
  }
  const auto index = table_.create(record.host, record.instance, record.queue_id);
  if (index == MessageTable::kNone) {
    ++counters_.too_long;
    return;
  }
  if (record.kind == LogKind::kPickup) {
    set(index, MessageSlot::kSender, record.sender);
  } else {
    set(index, MessageSlot::kClientName, record.client_name);
    set(index, MessageSlot::kClientAddress, record.client_address);
    if (!record.sasl_user.empty()) set(index, MessageSlot::kSaslUser, record.sasl_user);
  }
  table_.account(index);
}

// The message that a line of cleanup or the queue manager is about. One that smtpd started under a
// syslog_name of its own is theirs as soon as they speak of it.
std::uint32_t MessageTracker::message_for(const LogRecord& record) {
  const auto found = table_.find(record.host, record.instance, record.queue_id);
  if (found.exact) return found.index;
  if (found.index != MessageTable::kNone && table_[found.index].attempt == 0) {
    set(found.index, MessageSlot::kInstance, record.instance);
    return found.index;
  }
  return table_.create(record.host, record.instance, record.queue_id);
}

// Logged once in the life of a queue file, before it becomes active: one that is active, or has
// another message id, is an older file of the same name.
void MessageTracker::set_message_id(const LogRecord& record) {
  std::uint32_t index = message_for(record);
  if (index == MessageTable::kNone) {
    ++counters_.too_long;
    return;
  }
  const MessageSlot& message = table_[index];
  if (message.removed || message.attempt > 0 || message.has(MessageSlot::kMessageId)) {
    if (!message.removed) ++counters_.reused;
    table_.erase(index);
    index = table_.create(record.host, record.instance, record.queue_id);
  }
  set(index, MessageSlot::kMessageId, record.message_id);
  table_.account(index);
}

void MessageTracker::set_active(const LogRecord& record) {
  const std::uint32_t index = message_for(record);
  if (index == MessageTable::kNone) {
    ++counters_.too_long;
    return;
  }
  MessageSlot& message = table_[index];
  message.removed = false;
  ++message.attempt;
  message.size_bytes = record.size_bytes;
  set(index, MessageSlot::kSender, record.sender);
  table_.touch(index);
  table_.account(index);
}

void MessageTracker::take_message(const MessageSlot* message) {
  event_.joined = message != nullptr;
  static const MessageSlot kUnknown;
  const MessageSlot& from = message == nullptr ? kUnknown : *message;
  event_.sender_known = from.has(MessageSlot::kSender);
  event_.sender = from.get(MessageSlot::kSender);
  event_.client_name = from.get(MessageSlot::kClientName);
  event_.client_address = from.get(MessageSlot::kClientAddress);
  event_.sasl_user = from.get(MessageSlot::kSaslUser);
  event_.message_id = from.get(MessageSlot::kMessageId);
  event_.attempt = from.attempt;
  event_.size_bytes = from.size_bytes;
}

void MessageTracker::take_delivery(const LogRecord& record) {
  event_.host = record.host;
  event_.instance = record.instance;
  event_.service = record.service;
  event_.queue_id = record.queue_id;
  event_.recipient = record.recipient;
  event_.orig_to = record.orig_to;
  event_.relay = record.relay;
  event_.relay_host = record.relay_host;
  event_.relay_address = record.relay_address;
  event_.relay_port = record.relay_port;
  event_.conn_use = record.conn_use;
  event_.enhanced_code = record.enhanced_code;
  event_.status = to_delivery_status(record.status);
  event_.text = record.text;
  event_.text_truncated = record.truncated;
  event_.reply_code = find_reply(record.text).code;
  event_.delay = to_duration(record.delay);
  event_.delays = to_delays(record.delays);
}

void MessageTracker::emit() {
  ++counters_.events;
  if (!event_.joined) ++counters_.unjoined;
  sink_(event_);
}

void MessageTracker::deliver(const LogRecord& record, common::TimePoint time, std::uint64_t line) {
  const auto found = table_.find(record.host, record.instance, record.queue_id);
  const bool known = found.index != MessageTable::kNone;
  take_message(known ? &table_[found.index] : nullptr);
  take_delivery(record);
  event_.origin = event_.status == DeliveryStatus::kSent && record.service != "discard"
                      ? EventOrigin::kDestination
                      : origin_of(record);
  event_.time = time;
  event_.line = line;
  EventIdBuilder()
      .add(static_cast<std::uint64_t>(time.time_since_epoch().count()))
      .add(record.host)
      .add(record.program)
      .add(static_cast<std::uint64_t>(record.pid))
      .add(record.message)
      .write(event_.event_id);
  if (known && event_.status == DeliveryStatus::kDeferred) {
    const DeferredRecipient entry{record.recipient, record.enhanced_code, record.text,
                                  event_.reply_code};
    if (!deferred_list::put(table_[found.index].deferred, entry)) ++counters_.too_long;
    table_.account(found.index);
  } else if (known && !table_[found.index].deferred.empty()) {
    deferred_list::remove(table_[found.index].deferred, record.recipient);
  }
  emit();
}

void MessageTracker::expire(const LogRecord& record, common::TimePoint time, std::uint64_t line) {
  const auto found = table_.find(record.host, record.instance, record.queue_id);
  if (found.index == MessageTable::kNone || table_[found.index].deferred.empty()) {
    ++counters_.expired_unknown;
    return;
  }
  MessageSlot& message = table_[found.index];
  take_message(&message);
  deferred_list::each(message.deferred, [&](const DeferredRecipient& last) {
    LogRecord outcome = record;
    outcome.recipient = last.recipient;
    outcome.enhanced_code = last.enhanced_code;
    outcome.text = last.text;
    take_delivery(outcome);
    event_.status = DeliveryStatus::kExpired;
    event_.origin = has_ipmit_mark(last.text) ? EventOrigin::kIpmit : EventOrigin::kDestination;
    event_.time = time;
    event_.line = line;
    EventIdBuilder()
        .add(static_cast<std::uint64_t>(time.time_since_epoch().count()))
        .add(record.host)
        .add(record.message)
        .add(last.recipient)
        .write(event_.event_id);
    emit();
  });
  message.deferred.clear();
}

void MessageTracker::remove(const LogRecord& record) {
  const auto found = table_.find(record.host, record.instance, record.queue_id);
  if (!found.exact || table_[found.index].removed) return;
  table_[found.index].removed = true;
  Removed& place = removed_[next_removed_];
  next_removed_ = (next_removed_ + 1) % kRemovedKept;
  if (place.index != MessageTable::kNone && table_.serial(place.index) == place.serial &&
      table_[place.index].removed) {
    table_.erase(place.index);
  }
  place = {found.index, table_.serial(found.index)};
}

}  // namespace ipmit::events
