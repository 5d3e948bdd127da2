// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "common/clock.h"
#include "events/delivery_event.h"
#include "events/message_table.h"
#include "events/postfix_log.h"

namespace ipmit::events {

// Joins the lines of one or many mail logs, by host, instance and queue id, to delivery events: the
// client and SASL user come from smtpd's line, the sender from the queue manager's, the outcome
// from the delivery agent's. Feed it the records in the order of the log. Deliveries whose message
// was never seen are reported with joined = false. One thread at a time; does no I/O.
class MessageTracker {
 public:
  struct Limits {
    std::size_t messages = 200'000;           // as many as may be queued at a time
    std::size_t bytes = 256UL * 1024 * 1024;  // of their texts
  };
  // The event lives for the call only.
  using Sink = std::function<void(const DeliveryEvent&)>;

  MessageTracker(const Limits& limits, Sink sink);

  // `line`: its number, for DeliveryEvent::line; 0 = not counted.
  void add(const LogRecord& record, common::TimePoint time, std::uint64_t line = 0);

  struct Counters {
    std::uint64_t records = 0;  // = other + events' + messages' lines
    std::uint64_t events = 0;
    std::uint64_t unjoined = 0;         // events without their message
    std::uint64_t expired_unknown = 0;  // expired messages whose recipients were not known
    std::uint64_t reused = 0;           // a queue id came again before its message was removed
    std::uint64_t too_long = 0;         // a field longer than any real one: taken as unknown
    std::uint64_t own_refusals = 0;     // refused by ipmit
    std::uint64_t milter_refusals = 0;  // by another milter
    std::uint64_t local_refusals = 0;   // by Postfix's own restrictions
    std::uint64_t forgotten = 0;        // messages dropped because the table was full
  };
  Counters counters() const;
  std::size_t messages() const { return table_.size(); }

  // The state as bytes, for a restart, and back: false if they are damaged or of another version;
  // then the tracker is empty, as after a first start. Any bytes are safe.
  std::string save() const;
  bool load(std::string_view state);

 private:
  std::uint32_t message_for(const LogRecord& record);
  void start(const LogRecord& record);
  void set_message_id(const LogRecord& record);
  void set_active(const LogRecord& record);
  void deliver(const LogRecord& record, common::TimePoint time, std::uint64_t line);
  void expire(const LogRecord& record, common::TimePoint time, std::uint64_t line);
  void remove(const LogRecord& record);
  void set(std::uint32_t index, MessageSlot::Field field, std::string_view value);
  void take_message(const MessageSlot* message);
  void take_delivery(const LogRecord& record);
  void emit();

  Sink sink_;
  MessageTable table_;
  Counters counters_;
  DeliveryEvent event_;  // filled again for each, so that its texts keep their capacity
  // Removed messages wait here: syslog may bring a delivery after its "removed".
  struct Removed {
    std::uint32_t index = MessageTable::kNone;
    std::uint64_t serial = 0;
  };
  static constexpr std::size_t kRemovedKept = 64;
  std::array<Removed, kRemovedKept> removed_{};
  std::size_t next_removed_ = 0;
};

}  // namespace ipmit::events
