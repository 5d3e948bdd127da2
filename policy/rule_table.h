// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "policy/mitigation_set.h"
#include "policy/text_arena.h"

namespace ipmit::policy {

// The rules of a MitigationSet, 32 bytes each (never across two cache lines) and their texts; what
// many share (reasons, rate limits, replies, scopes) is stored once. Immutable once built.
class RuleTable {
 public:
  class Builder;

  std::size_t size() const { return rules_.size(); }
  MitigationSet::Rule rule(RuleId id, const TextArena& arena) const;
  std::string_view name(RuleId id, const TextArena& arena) const {
    return arena.view(rules_[id].name, rules_[id].name_length);
  }
  // Call early: what rule() reads first is then on its way.
  void prefetch(RuleId id) const { __builtin_prefetch(rules_.data() + id); }
  bool has_several_targets(RuleId id) const { return rules_[id].several_targets; }
  std::size_t memory_bytes() const {
    return rules_.capacity() * sizeof(Packed) + details_.capacity() * sizeof(Detail);
  }

 private:
  struct Text {
    std::uint32_t at = 0;
    std::uint32_t length = 0;
    std::string_view in(const TextArena& arena) const { return arena.view(at, length); }
    friend bool operator==(const Text&, const Text&) = default;
  };
  // What few rules have, or many have in common.
  struct Detail {
    std::optional<RateLimit> rate_limit;
    std::optional<TimePoint> starts;
    Text reply_code, reply_enhanced, reply_text, reroute_transport;
    Text sender_domains, sasl_users, recipient_domains;
    friend bool operator==(const Detail&, const Detail&) = default;
  };
  struct alignas(32) Packed {
    std::int64_t ends_ms;  // the greatest number there is: until released
    std::uint32_t name;
    std::uint32_t reason;
    std::uint32_t detail;  // index
    std::int16_t priority;
    std::uint16_t reason_length;
    std::uint8_t name_length;
    Action action;
    Mode mode;
    bool several_targets;
  };
  static_assert(sizeof(Packed) == 32);

  BigVector<Packed> rules_;
  std::vector<Detail> details_;
};

class RuleTable::Builder {
 public:
  Builder(std::size_t rules, TextArena& arena);

  RuleId add(const Mitigation& mitigation);
  RuleTable build();

 private:
  struct Seen {
    Text text;               // length 0: free slot
    std::uint32_t high = 0;  // half of its hash
  };
  struct DetailHash {
    std::size_t operator()(const Detail& detail) const;
  };

  Text intern(std::string_view text);
  Text intern_lines(const std::vector<DomainPattern>& patterns);
  Text intern_lines(const std::vector<SaslUser>& users);
  std::uint32_t intern_detail(const Mitigation& mitigation);
  void grow();

  TextArena& arena_;
  RuleTable table_;
  std::vector<Seen> seen_;  // open addressing
  std::size_t seen_count_ = 0;
  std::unordered_map<Detail, std::uint32_t, DetailHash> details_;
};

}  // namespace ipmit::policy
