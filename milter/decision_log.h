// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstdint>
#include <span>
#include <string_view>

#include "common/clock.h"
#include "policy/decide.h"

namespace ipmit::milter {

// One decision that was not "let it go on". Views are read during the call.
struct DecisionRecord {
  std::string_view session;
  policy::Stage stage = policy::Stage::kMail;
  std::string_view action;  // "Throttle", …, or "Fallback"
  bool observed = false;    // only reported: DryRun or Observe
  std::string_view mitigation;
  std::string_view reason;
  std::string_view queue_id;  // empty before the first accepted recipient
  const policy::IpAddress* client = nullptr;
  std::string_view sasl_user;
  const policy::EnvelopeAddress* sender = nullptr;
  std::span<const policy::EnvelopeAddress> recipients;  // asked about, or accepted so far
  const policy::SmtpReply* reply = nullptr;
};

// Writes event=decision lines (docs/log-events.md), and each kind of warning about the surroundings
// at most once a minute. Thread-safe.
class DecisionLog {
 public:
  static constexpr std::size_t kMostRecipients = 20;  // listed; the count is always given

  void decision(const DecisionRecord& record) const;

  enum class Warning : std::uint8_t {
    kClientUnknown,     // no address: address rules cannot act
    kClientNeverMatch,  // address of a proxy or pod network
    kQueueIdMissing,    // no macro i at end of message
    kNoRules,           // nothing loaded yet
    kRulesStale,
    kEditFailed,
    kUnknownTransport,  // not in reroute_transports
  };
  static constexpr std::size_t kWarnings = 7;
  // `detail`: of this occurrence, "key" and value. `mitigation`: the rule it is about, if any.
  void warn(Warning warning, std::string_view key, std::string_view detail, common::TimePoint now,
            std::string_view mitigation = {});

 private:
  std::atomic<common::TimePoint::rep> last_[kWarnings]{};
};

}  // namespace ipmit::milter
