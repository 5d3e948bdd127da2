// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>

#include "common/clock.h"
#include "common/secret_box.h"
#include "events/delivery_event.h"
#include "events/mail_report.h"
#include "events/trace_token.h"

namespace ipmit::events {

// A delivery that our own mail log told of: what a report can be matched with.
struct LoggedDelivery {
  common::TimePoint time{};  // of the delivery
  TraceFields sender;        // who sent it; queue_id is the key
  std::string message_id;    // without angle brackets; may be empty
  std::string recipient;
};

// What a delivery event of the mail log says of it; nullopt if the message's own lines were not
// seen, so that nobody knows who sent it.
std::optional<LoggedDelivery> to_logged_delivery(const DeliveryEvent& event);

// How a report is tied to mail that this installation sent.
enum class Attribution : std::uint8_t {
  kToken,      // by its trace token
  kDelivery,   // no token; queue id or message id, and recipient, are those of a logged delivery
  kExpired,    // a token of ours, older than its lifetime
  kForged,     // a token that no key of ours made
  kReplayed,   // a token that has counted already
  kUnmatched,  // neither token nor delivery
};
std::string_view to_string(Attribution attribution);  // "token", "delivery", "expired", …

struct AttributedResult {
  Attribution how = Attribution::kUnmatched;
  TraceFields sender;  // of kToken, kDelivery, kExpired and kReplayed; otherwise empty
  // Only these count as evidence. All others are kept for people to read.
  bool counts() const { return how == Attribution::kToken || how == Attribution::kDelivery; }
};

struct AttributionLimits {
  common::Duration lifetime = std::chrono::hours(24 * 7);  // of tokens and of logged deliveries
  std::size_t deliveries = 200'000;  // remembered at most; the oldest are forgotten first
  std::size_t tokens = 200'000;
};

// Ties reports to sent mail, so that a forged report cannot frame a sender.
//
// Anybody who received a message can copy its token into as many reports as he likes. So a token
// counts once; for a further recipient of the same message it counts only if our log knows of that
// delivery, and each recipient once. The same holds for a report without a token. A token that is
// expired, forged or malformed is not the end: a logged delivery may still speak for the report.
//
// One thread at a time. Does not block. Memory is bounded by the limits. `box` must outlive this.
class Attributor {
 public:
  explicit Attributor(const common::SecretBox& box, AttributionLimits limits = {});

  // To be called for each delivery of the log, in about the order of time.
  void add(LoggedDelivery delivery);

  AttributedResult attribute(const MailResult& result, common::TimePoint now);

  std::size_t deliveries() const { return deliveries_.size(); }
  // Deliveries and tokens that went for lack of room before their lifetime was over: reports about
  // them come out as kUnmatched, or could be replayed.
  std::uint64_t forgotten() const { return forgotten_; }

 private:
  // std::hash of the key; what is found is compared as a whole.
  using Index = std::unordered_multimap<std::size_t, std::uint64_t>;

  const LoggedDelivery* find(const Index& index, std::string_view id, std::string_view recipient,
                             common::TimePoint now) const;
  const LoggedDelivery* find_delivery(std::string_view queue_id, const MailResult& result,
                                      common::TimePoint now) const;
  bool first_use(std::string key, common::TimePoint now);
  void forget_oldest_delivery();
  static void erase(Index& index, std::size_t hash, std::uint64_t number);

  const common::SecretBox& box_;
  const AttributionLimits limits_;
  std::deque<LoggedDelivery> deliveries_;
  std::uint64_t first_ = 0;  // number of deliveries_.front(); numbers go up by one
  Index by_queue_id_, by_message_id_;
  std::unordered_set<std::string> used_;
  std::deque<std::pair<common::TimePoint, std::string>> used_order_;
  std::uint64_t forgotten_ = 0;
};

}  // namespace ipmit::events
