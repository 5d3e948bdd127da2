// SPDX-License-Identifier: Apache-2.0
#include "events/trace_token.h"

#include <algorithm>
#include <array>
#include <cstdint>

namespace ipmit::events {
namespace {

// The sealed bytes: version, time (6 bytes, big-endian milliseconds), client (its width in bytes,
// then the bytes), then user, domain and queue id, each after its length in one byte.
constexpr unsigned char kVersion = 1;
constexpr std::size_t kTimeBytes = 6;
constexpr std::size_t kMaxUser = 255, kMaxDomain = 253, kMaxQueueId = 64;
constexpr std::size_t kMaxPlain =
    1 + kTimeBytes + (1 + 16) + (1 + kMaxUser) + (1 + kMaxDomain) + (1 + kMaxQueueId);
static_assert((kMaxPlain + common::SecretBox::kOverheadBytes) * 4 / 3 + 1 <= kMaxTraceToken);

constexpr std::size_t kMaxLine = 78;

void put_text(std::string& out, std::string_view text, std::size_t most) {
  text = text.substr(0, most);
  out.push_back(static_cast<char>(text.size()));
  out.append(text);
}

void put_big_endian(std::string& out, std::uint64_t value, std::size_t size) {
  for (std::size_t i = size; i-- > 0;) out.push_back(static_cast<char>(value >> (8 * i) & 0xff));
}

void put_client(std::string& out, const policy::IpAddress* client) {
  out.push_back(client == nullptr ? '\0' : client->is_v4() ? '\4' : '\20');
  if (client == nullptr) return;
  if (client->is_v4()) return put_big_endian(out, client->v4_value(), 4);
  put_big_endian(out, client->high(), 8);
  put_big_endian(out, client->low(), 8);
}

// Takes the payload apart from the front. It was authenticated before, so a failure means another
// version of this program wrote it.
class Reader {
 public:
  explicit Reader(std::string_view text) : rest_(text) {}

  bool take(std::size_t size, std::string_view& out) {
    if (rest_.size() < size) return false;
    out = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return true;
  }
  bool take_text(std::string& out) {
    std::string_view size, text;
    if (!take(1, size) || !take(static_cast<unsigned char>(size.front()), text)) return false;
    out = text;
    return true;
  }
  bool take_client(std::optional<policy::IpAddress>& out) {
    std::string bytes;
    if (!take_text(bytes)) return false;
    if (bytes.empty()) return true;
    std::array<std::uint8_t, 4> v4{};
    std::array<std::uint8_t, 16> v6{};
    if (bytes.size() == v4.size()) {
      std::copy(bytes.begin(), bytes.end(), v4.begin());
      out = policy::IpAddress::from_v4(v4);
    } else if (bytes.size() == v6.size()) {
      std::copy(bytes.begin(), bytes.end(), v6.begin());
      out = policy::IpAddress::from_v6(v6);
    }
    return out.has_value();
  }
  bool done() const { return rest_.empty(); }

 private:
  std::string_view rest_;
};

std::optional<TraceFields> read_fields(std::string_view plain) {
  Reader reader(plain);
  std::string_view version, time;
  TraceFields fields;
  if (!reader.take(1, version) || static_cast<unsigned char>(version.front()) != kVersion ||
      !reader.take(kTimeBytes, time) || !reader.take_client(fields.client) ||
      !reader.take_text(fields.sasl_user) || !reader.take_text(fields.sender_domain) ||
      !reader.take_text(fields.queue_id) || !reader.done())
    return std::nullopt;
  std::int64_t since_epoch = 0;
  for (const char byte : time) since_epoch = since_epoch << 8 | static_cast<unsigned char>(byte);
  fields.time = common::TimePoint(common::Duration(since_epoch));
  return fields;
}

// Without folding; nullopt once it is longer than any token.
std::optional<std::string> unfold(std::string_view value) {
  std::string token;
  for (const char c : value) {
    if (c == ' ' || c == '\t' || c == '\r' || c == '\n') continue;
    if (token.size() == kMaxTraceToken) return std::nullopt;
    token.push_back(c);
  }
  return token;
}

}  // namespace

std::string seal_trace(const common::SecretBox& box, const TraceFields& fields) {
  std::string plain(1, static_cast<char>(kVersion));
  const auto since_epoch = std::max<std::int64_t>(fields.time.time_since_epoch().count(), 0);
  put_big_endian(plain, static_cast<std::uint64_t>(since_epoch), kTimeBytes);
  put_client(plain, fields.client ? &*fields.client : nullptr);
  put_text(plain, fields.sasl_user, kMaxUser);
  put_text(plain, fields.sender_domain, kMaxDomain);
  put_text(plain, fields.queue_id, kMaxQueueId);
  return common::to_base64url(box.seal(plain, kTraceHeader));
}

std::string fold_trace(std::string_view token) {
  std::string value;
  std::size_t room = kMaxLine - kTraceHeader.size() - 2;  // after "X-Ipmit-Trace: "
  while (token.size() > room) {
    value.append(token.substr(0, room)).append("\n\t");
    token.remove_prefix(room);
    room = kMaxLine - 1;  // the TAB
  }
  return value.append(token);
}

OpenedTrace open_trace(const common::SecretBox& box, std::string_view header_value,
                       common::TimePoint now, common::Duration lifetime) {
  const auto token = unfold(header_value);
  if (!token) return TraceMalformed{};
  const auto sealed = common::from_base64url(*token);
  if (!sealed || sealed->size() <= common::SecretBox::kOverheadBytes) return TraceMalformed{};
  const auto plain = box.open(*sealed, kTraceHeader);
  if (!plain) return TraceForged{};
  auto fields = read_fields(*plain);
  if (!fields) return TraceMalformed{};
  if (now - fields->time > lifetime) return TraceExpired{std::move(*fields)};
  return std::move(*fields);
}

}  // namespace ipmit::events
