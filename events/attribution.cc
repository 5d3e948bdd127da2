// SPDX-License-Identifier: Apache-2.0
#include "events/attribution.h"

#include <functional>
#include <utility>
#include <variant>

#include "events/bounce_address.h"
#include "events/bounce_text.h"

namespace ipmit::events {
namespace {

constexpr std::size_t kMaxId =
    512;  // of a queue id, a message id or a recipient; longer never match

std::string key_of(std::string_view id, std::string_view recipient) {
  std::string key(id);
  key += '\n';
  key += recipient;
  return key;
}

std::size_t hash_of(std::string_view id, std::string_view recipient) {
  return std::hash<std::string>()(key_of(id, recipient));
}

bool is_usable(std::string_view id, std::string_view recipient) {
  return !id.empty() && id.size() <= kMaxId && !recipient.empty() && recipient.size() <= kMaxId;
}

// A message is stamped once, so time and queue id name its token, however the token is refolded.
std::string token_key(const TraceFields& fields) {
  return "t\n" + std::to_string(fields.time.time_since_epoch().count()) + "\n" + fields.queue_id;
}

}  // namespace

std::string_view to_string(Attribution attribution) {
  switch (attribution) {
    case Attribution::kToken:
      return "token";
    case Attribution::kDelivery:
      return "delivery";
    case Attribution::kExpired:
      return "expired";
    case Attribution::kForged:
      return "forged";
    case Attribution::kReplayed:
      return "replayed";
    case Attribution::kUnmatched:
      return "unmatched";
  }
  return "unmatched";
}

std::optional<LoggedDelivery> to_logged_delivery(const DeliveryEvent& event) {
  if (!event.joined || event.recipient.empty()) return std::nullopt;
  LoggedDelivery out;
  out.time = event.time;
  out.sender.time = event.time;
  out.sender.client = policy::IpAddress::parse(event.client_address);
  out.sender.sasl_user = to_lower(event.sasl_user);
  out.sender.sender_domain = domain_of(event.sender);
  out.sender.queue_id = event.queue_id;
  out.message_id = event.message_id;
  out.recipient = event.recipient;
  return out;
}

Attributor::Attributor(const common::SecretBox& box, AttributionLimits limits)
    : box_(box), limits_(limits) {}

void Attributor::add(LoggedDelivery delivery) {
  delivery.recipient = to_lower(delivery.recipient);
  if (limits_.deliveries == 0 || delivery.recipient.empty() || delivery.recipient.size() > kMaxId)
    return;
  while (!deliveries_.empty() && delivery.time - deliveries_.front().time > limits_.lifetime)
    forget_oldest_delivery();
  if (deliveries_.size() >= limits_.deliveries) {
    forget_oldest_delivery();
    ++forgotten_;
  }
  const std::uint64_t number = first_ + deliveries_.size();
  if (is_usable(delivery.sender.queue_id, delivery.recipient))
    by_queue_id_.emplace(hash_of(delivery.sender.queue_id, delivery.recipient), number);
  if (is_usable(delivery.message_id, delivery.recipient))
    by_message_id_.emplace(hash_of(delivery.message_id, delivery.recipient), number);
  deliveries_.push_back(std::move(delivery));
}

void Attributor::erase(Index& index, std::size_t hash, std::uint64_t number) {
  auto [begin, end] = index.equal_range(hash);
  for (; begin != end; ++begin) {
    if (begin->second != number) continue;
    index.erase(begin);
    return;
  }
}

void Attributor::forget_oldest_delivery() {
  const LoggedDelivery& oldest = deliveries_.front();
  erase(by_queue_id_, hash_of(oldest.sender.queue_id, oldest.recipient), first_);
  erase(by_message_id_, hash_of(oldest.message_id, oldest.recipient), first_);
  deliveries_.pop_front();
  ++first_;
}

const LoggedDelivery* Attributor::find(const Index& index, std::string_view id,
                                       std::string_view recipient, common::TimePoint now) const {
  if (!is_usable(id, recipient)) return nullptr;
  auto [begin, end] = index.equal_range(hash_of(id, recipient));
  for (; begin != end; ++begin) {
    const LoggedDelivery& delivery = deliveries_[begin->second - first_];
    const bool same = delivery.recipient == recipient &&
                      (delivery.sender.queue_id == id || delivery.message_id == id);
    if (same && now - delivery.time <= limits_.lifetime) return &delivery;
  }
  return nullptr;
}

const LoggedDelivery* Attributor::find_delivery(std::string_view queue_id, const MailResult& result,
                                                common::TimePoint now) const {
  const std::string recipient = to_lower(result.recipient);
  const LoggedDelivery* found = find(by_queue_id_, queue_id, recipient, now);
  return found != nullptr ? found : find(by_message_id_, result.message_id, recipient, now);
}

bool Attributor::first_use(std::string key, common::TimePoint now) {
  while (!used_order_.empty() && now - used_order_.front().first > limits_.lifetime) {
    used_.erase(used_order_.front().second);
    used_order_.pop_front();
  }
  if (!used_.insert(key).second) return false;
  if (used_order_.size() >= limits_.tokens) {
    used_.erase(used_order_.front().second);
    used_order_.pop_front();
    ++forgotten_;
  }
  used_order_.emplace_back(now, std::move(key));
  return true;
}

AttributedResult Attributor::attribute(const MailResult& result, common::TimePoint now) {
  AttributedResult out;
  std::string_view queue_id = result.queue_id;
  if (!result.trace_token.empty()) {
    const OpenedTrace opened = open_trace(box_, result.trace_token, now, limits_.lifetime);
    if (const auto* valid = std::get_if<TraceFields>(&opened)) {
      out.sender = *valid;
      queue_id = out.sender.queue_id;
      out.how = first_use(token_key(*valid), now) ? Attribution::kToken : Attribution::kReplayed;
    } else if (const auto* expired = std::get_if<TraceExpired>(&opened)) {
      out.sender = expired->fields;
      out.how = Attribution::kExpired;
    } else if (std::holds_alternative<TraceForged>(opened)) {
      out.how = Attribution::kForged;
    }
  }
  const LoggedDelivery* delivery = find_delivery(queue_id, result, now);
  if (delivery == nullptr) return out;
  // Each delivery speaks once, be it after a token or without one.
  const bool fresh = first_use(
      "d\n" + key_of(delivery->sender.queue_id + delivery->message_id, delivery->recipient), now);
  if (out.how == Attribution::kToken) return out;
  if (!fresh) {
    if (out.how == Attribution::kUnmatched) out.how = Attribution::kReplayed;
    return out;
  }
  out.how = Attribution::kDelivery;
  out.sender = delivery->sender;
  return out;
}

}  // namespace ipmit::events
