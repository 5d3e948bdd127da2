// SPDX-License-Identifier: Apache-2.0
// The state of a MessageTracker as bytes: a line with name and version, the messages from the
// oldest to the newest, a checksum. Numbers are 64 bits, little endian; texts have their length in
// front.
#include "events/deferred_list.h"
#include "events/message_tracker.h"

namespace ipmit::events {
namespace {

using std::string_view;

constexpr string_view kMagic = "ipmit-tracker 1\n";
constexpr std::size_t kNumberBytes = 8;
constexpr std::size_t kMaxDeferredBytes =
    deferred_list::kMaxRecipients * (8 + 3 * deferred_list::kMaxText);

void append_number(std::string& out, std::uint64_t value) {
  for (std::size_t i = 0; i < kNumberBytes; ++i) out += static_cast<char>(value >> (8 * i) & 0xff);
}

void append_text(std::string& out, string_view text) {
  append_number(out, text.size());
  out += text;
}

std::uint64_t checksum(string_view bytes) {
  std::uint64_t sum = 0xcbf29ce484222325U;  // FNV-1a: finds damage, not malice
  for (const char byte : bytes) sum = (sum ^ static_cast<unsigned char>(byte)) * 0x100000001b3U;
  return sum;
}

class StateReader {
 public:
  explicit StateReader(string_view bytes) : rest_(bytes) {}

  std::uint64_t number() {
    std::uint64_t value = 0;
    if (rest_.size() < kNumberBytes) {
      failed_ = true;
      return 0;
    }
    for (std::size_t i = kNumberBytes; i-- > 0;) {
      value = value << 8 | static_cast<unsigned char>(rest_[i]);
    }
    rest_.remove_prefix(kNumberBytes);
    return value;
  }
  string_view text(std::size_t longest) {
    const std::uint64_t size = number();
    if (failed_ || size > longest || size > rest_.size()) {
      failed_ = true;
      return {};
    }
    const string_view text = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return text;
  }
  bool failed() const { return failed_; }
  bool at_end() const { return rest_.empty(); }

 private:
  string_view rest_;
  bool failed_ = false;
};

void append_message(std::string& out, const MessageSlot& message) {
  std::uint64_t known = 0;
  for (std::uint8_t field = 0; field < MessageSlot::kFieldCount; ++field) {
    known |= std::uint64_t{message.has(static_cast<MessageSlot::Field>(field))} << field;
  }
  append_number(out, known);
  for (std::uint8_t field = 0; field < MessageSlot::kFieldCount; ++field) {
    append_text(out, message.get(static_cast<MessageSlot::Field>(field)));
  }
  append_number(out, message.attempt);
  append_number(out, message.size_bytes);
  append_text(out, message.deferred);
}

bool read_message(StateReader& reader, MessageTable& table) {
  const std::uint64_t known = reader.number();
  string_view fields[MessageSlot::kFieldCount];
  for (string_view& field : fields) field = reader.text(MessageSlot::kMaxFieldBytes);
  const auto attempt = static_cast<std::uint32_t>(reader.number());
  const std::uint64_t size = reader.number();
  const string_view deferred = reader.text(kMaxDeferredBytes);
  if (reader.failed() || !deferred_list::is_valid(deferred)) return false;
  const std::uint32_t index = table.create(
      fields[MessageSlot::kHost], fields[MessageSlot::kInstance], fields[MessageSlot::kQueueId]);
  if (index == MessageTable::kNone) return false;
  MessageSlot& message = table[index];
  for (std::uint8_t field = MessageSlot::kClientName; field < MessageSlot::kFieldCount; ++field) {
    if ((known >> field & 1) != 0)
      message.set(static_cast<MessageSlot::Field>(field), fields[field]);
  }
  message.attempt = attempt;
  message.size_bytes = size;
  message.deferred = deferred;
  table.account(index);
  return true;
}

}  // namespace

std::string MessageTracker::save() const {
  std::string state(kMagic);
  for (std::uint32_t index = table_.oldest(); index != MessageTable::kNone;
       index = table_.newer(index)) {
    if (!table_[index].removed) append_message(state, table_[index]);
  }
  append_number(state, checksum(state));
  return state;
}

bool MessageTracker::load(string_view state) {
  while (table_.oldest() != MessageTable::kNone) table_.erase(table_.oldest());
  removed_ = {};
  if (!state.starts_with(kMagic) || state.size() < kMagic.size() + kNumberBytes) return false;
  const std::size_t end = state.size() - kNumberBytes;
  if (StateReader(state.substr(end)).number() != checksum(state.substr(0, end))) return false;
  StateReader reader(state.substr(kMagic.size(), end - kMagic.size()));
  while (!reader.at_end()) {
    if (read_message(reader, table_)) continue;
    while (table_.oldest() != MessageTable::kNone) table_.erase(table_.oldest());
    return false;
  }
  return true;
}

}  // namespace ipmit::events
