// SPDX-License-Identifier: Apache-2.0
#include "events/deferred_list.h"

#include <optional>

namespace ipmit::events::deferred_list {
namespace {

constexpr std::size_t kHeadBytes = 8;  // four 16-bit numbers: reply code and three lengths

void append_u16(std::string& out, std::size_t value) {
  out += static_cast<char>(value & 0xff);
  out += static_cast<char>(value >> 8 & 0xff);
}

std::size_t u16_at(std::string_view bytes, std::size_t pos) {
  return static_cast<unsigned char>(bytes[pos]) |
         static_cast<std::size_t>(static_cast<unsigned char>(bytes[pos + 1])) << 8;
}

// The entry at the front, and its size in bytes.
std::optional<DeferredRecipient> front(std::string_view list, std::size_t& size) {
  if (list.size() < kHeadBytes) return std::nullopt;
  const std::size_t recipient = u16_at(list, 2);
  const std::size_t code = u16_at(list, 4);
  const std::size_t text = u16_at(list, 6);
  size = kHeadBytes + recipient + code + text;
  if (size > list.size()) return std::nullopt;
  DeferredRecipient entry;
  entry.reply_code = static_cast<std::uint16_t>(u16_at(list, 0));
  entry.recipient = list.substr(kHeadBytes, recipient);
  entry.enhanced_code = list.substr(kHeadBytes + recipient, code);
  entry.text = list.substr(kHeadBytes + recipient + code, text);
  return entry;
}

std::size_t count(std::string_view list) {
  std::size_t entries = 0;
  for (std::size_t size = 0; front(list, size); ++entries) list.remove_prefix(size);
  return list.empty() ? entries : kMaxRecipients + 1;
}

}  // namespace

bool put(std::string& list, const DeferredRecipient& entry) {
  remove(list, entry.recipient);
  if (entry.recipient.size() > kMaxText || entry.enhanced_code.size() > kMaxText ||
      count(list) >= kMaxRecipients) {
    return false;
  }
  const std::string_view text = entry.text.substr(0, kMaxText);
  append_u16(list, entry.reply_code);
  append_u16(list, entry.recipient.size());
  append_u16(list, entry.enhanced_code.size());
  append_u16(list, text.size());
  list += entry.recipient;
  list += entry.enhanced_code;
  list += text;
  return true;
}

void remove(std::string& list, std::string_view recipient) {
  std::size_t size = 0;
  for (std::size_t pos = 0; pos < list.size(); pos += size) {
    const auto entry = front(std::string_view(list).substr(pos), size);
    if (!entry) return;
    if (entry->recipient != recipient) continue;
    list.erase(pos, size);
    return;
  }
}

void each(std::string_view list, const std::function<void(const DeferredRecipient&)>& visit) {
  std::size_t size = 0;
  while (const auto entry = front(list, size)) {
    visit(*entry);
    list.remove_prefix(size);
  }
}

bool is_valid(std::string_view list) {
  return count(list) <= kMaxRecipients;
}

}  // namespace ipmit::events::deferred_list
