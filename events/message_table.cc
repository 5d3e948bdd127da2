// SPDX-License-Identifier: Apache-2.0
#include "events/message_table.h"

#include <bit>
#include <functional>

namespace ipmit::events {
namespace {

constexpr std::size_t kKeptCapacity = 1024;  // of a free slot's texts

std::size_t hash_of(std::string_view host, std::string_view queue_id) {
  const std::hash<std::string_view> hash;
  return hash(queue_id) ^ std::rotl(hash(host), 17);
}

}  // namespace

bool MessageSlot::set(Field field, std::string_view value) {
  if (has(field) && get(field) == value) return true;
  if (value.size() > kMaxFieldBytes || data_.size() + value.size() > kMaxDataBytes) return false;
  spans_[field] = {static_cast<std::uint16_t>(data_.size()),
                   static_cast<std::uint16_t>(value.size())};
  data_ += value;
  known_ = static_cast<std::uint8_t>(known_ | 1U << field);
  return true;
}

void MessageSlot::clear() {
  spans_ = {};
  known_ = 0;
  removed = false;
  attempt = 0;
  size_bytes = 0;
  for (std::string* text : {&data_, &deferred}) {
    text->clear();
    if (text->capacity() > kKeptCapacity) text->shrink_to_fit();
  }
}

MessageTable::MessageTable(std::size_t max_messages, std::size_t max_bytes)
    : max_messages_(std::max<std::size_t>(1, max_messages)),
      max_bytes_(max_bytes),
      buckets_(std::bit_ceil(max_messages_), kNone) {
  nodes_.reserve(max_messages_);  // address space only; pages come with use
}

MessageTable::Found MessageTable::find(std::string_view host, std::string_view instance,
                                       std::string_view queue_id) const {
  const std::size_t hash = hash_of(host, queue_id);
  Found found;
  std::size_t candidates = 0;
  for (std::uint32_t index = buckets_[hash & (buckets_.size() - 1)]; index != kNone;
       index = nodes_[index].next) {
    const Node& node = nodes_[index];
    if (node.hash != hash || node.slot.get(MessageSlot::kQueueId) != queue_id ||
        node.slot.get(MessageSlot::kHost) != host) {
      continue;
    }
    if (node.slot.get(MessageSlot::kInstance) == instance) return {index, true};
    found.index = index;
    ++candidates;
  }
  return candidates == 1 ? found : Found{};
}

std::uint32_t MessageTable::create(std::string_view host, std::string_view instance,
                                   std::string_view queue_id) {
  for (const std::string_view key : {host, instance, queue_id}) {
    if (key.size() > MessageSlot::kMaxFieldBytes) return kNone;
  }
  if (size_ == max_messages_) forget_oldest();
  std::uint32_t index = free_;
  if (index != kNone) {
    free_ = nodes_[index].next;
  } else {
    index = static_cast<std::uint32_t>(nodes_.size());
    nodes_.emplace_back();
  }
  Node& node = nodes_[index];
  node.slot.set(MessageSlot::kHost, host);
  node.slot.set(MessageSlot::kInstance, instance);
  node.slot.set(MessageSlot::kQueueId, queue_id);
  node.hash = hash_of(host, queue_id);
  node.serial = ++serial_;
  std::uint32_t& head = buckets_[node.hash & (buckets_.size() - 1)];
  node.next = head;
  head = index;
  link_newest(index);
  ++size_;
  account(index);
  return index;
}

void MessageTable::erase(std::uint32_t index) {
  Node& node = nodes_[index];
  std::uint32_t* link = &buckets_[node.hash & (buckets_.size() - 1)];
  while (*link != index) link = &nodes_[*link].next;
  *link = node.next;
  unlink_age(node);
  bytes_ -= node.counted_bytes;
  node.counted_bytes = 0;
  node.serial = 0;
  node.slot.clear();
  node.next = free_;
  free_ = index;
  --size_;
}

void MessageTable::account(std::uint32_t index) {
  Node& node = nodes_[index];
  bytes_ += node.slot.bytes() - node.counted_bytes;
  node.counted_bytes = node.slot.bytes();
  while (bytes_ > max_bytes_ && oldest_ != index) forget_oldest();
}

void MessageTable::touch(std::uint32_t index) {
  if (newest_ == index) return;
  unlink_age(nodes_[index]);
  link_newest(index);
}

void MessageTable::unlink_age(Node& node) {
  (node.older == kNone ? oldest_ : nodes_[node.older].newer) = node.newer;
  (node.newer == kNone ? newest_ : nodes_[node.newer].older) = node.older;
}

void MessageTable::link_newest(std::uint32_t index) {
  Node& node = nodes_[index];
  node.older = newest_;
  node.newer = kNone;
  (newest_ == kNone ? oldest_ : nodes_[newest_].newer) = index;
  newest_ = index;
}

void MessageTable::forget_oldest() {
  if (!nodes_[oldest_].slot.removed) ++forgotten_;
  erase(oldest_);
}

}  // namespace ipmit::events
