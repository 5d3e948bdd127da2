// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace ipmit::events {

// What is known of one message in one Postfix queue. Its texts share one string that keeps its
// capacity when the slot is used again, so that a busy table does not allocate.
class MessageSlot {
 public:
  enum Field : std::uint8_t {
    kHost,
    kInstance,
    kQueueId,
    kClientName,
    kClientAddress,
    kSaslUser,
    kSender,
    kMessageId,
    kFieldCount,
  };
  static constexpr std::size_t kMaxFieldBytes = 1024;
  static constexpr std::size_t kMaxDataBytes = 8 * 1024;

  std::string_view get(Field field) const {
    return std::string_view(data_).substr(spans_[field].offset, spans_[field].length);
  }
  bool has(Field field) const { return (known_ >> field & 1) != 0; }  // also an empty one
  // False if the value is longer than a field may be: then the field stays as it was.
  bool set(Field field, std::string_view value);
  void clear();
  std::size_t bytes() const { return data_.capacity() + deferred.capacity(); }

  bool removed = false;  // its queue file is gone; kept a little for stragglers
  std::uint32_t attempt = 0;
  std::uint64_t size_bytes = 0;
  std::string deferred;  // packed DeferredRecipient list, see message_tracker.cc

 private:
  struct Span {
    std::uint16_t offset = 0;
    std::uint16_t length = 0;
  };
  std::array<Span, kFieldCount> spans_{};
  std::uint8_t known_ = 0;
  std::string data_;
};

// Messages by host, queue id and instance, at most `max_messages` of them in about `max_bytes`; the
// one not touched for longest goes first. Indices are valid until that message is erased or
// forgotten. One thread at a time.
class MessageTable {
 public:
  static constexpr std::uint32_t kNone = 0xffffffff;

  MessageTable(std::size_t max_messages, std::size_t max_bytes);

  // The message of that instance; else, as a transport may log under a syslog_name of its own, the
  // only one with that host and queue id.
  struct Found {
    std::uint32_t index = kNone;
    bool exact = false;
  };
  Found find(std::string_view host, std::string_view instance, std::string_view queue_id) const;

  // Forgets the oldest if the table is full. The keys must not be longer than a field: kNone then.
  std::uint32_t create(std::string_view host, std::string_view instance, std::string_view queue_id);
  void erase(std::uint32_t index);
  void touch(std::uint32_t index);  // now the newest

  MessageSlot& operator[](std::uint32_t index) { return nodes_[index].slot; }
  const MessageSlot& operator[](std::uint32_t index) const { return nodes_[index].slot; }
  // Call after a change of texts: forgets the oldest others until the limit is kept.
  void account(std::uint32_t index);

  // Tells whether the message at `index` is still the one that was there when serial() was asked.
  std::uint64_t serial(std::uint32_t index) const { return nodes_[index].serial; }

  std::uint32_t oldest() const { return oldest_; }
  std::uint32_t newer(std::uint32_t index) const { return nodes_[index].newer; }
  std::size_t size() const { return size_; }
  std::size_t bytes() const { return bytes_; }
  std::uint64_t forgotten() const { return forgotten_; }

 private:
  struct Node {
    MessageSlot slot;
    std::size_t hash = 0;
    std::size_t counted_bytes = 0;
    std::uint64_t serial = 0;
    std::uint32_t next = kNone;  // in its bucket, or in the list of free nodes
    std::uint32_t older = kNone;
    std::uint32_t newer = kNone;
  };
  void unlink_age(Node& node);
  void link_newest(std::uint32_t index);
  void forget_oldest();

  std::size_t max_messages_;
  std::size_t max_bytes_;
  std::vector<std::uint32_t> buckets_;
  std::vector<Node> nodes_;
  std::uint32_t free_ = kNone;
  std::uint32_t oldest_ = kNone;
  std::uint32_t newest_ = kNone;
  std::size_t size_ = 0;
  std::size_t bytes_ = 0;
  std::uint64_t serial_ = 0;
  std::uint64_t forgotten_ = 0;
};

}  // namespace ipmit::events
