// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "policy/mitigation.h"

namespace ipmit::policy {

// Index of one mitigation inside a MitigationSet; valid for that set only.
using RuleId = std::uint32_t;

// The immutable index that decide() reads: every mitigation and exemption of one revision, packed
// so that a million take less than 200 bytes each. Built aside by one thread, then shared read-only
// (common::Snapshot). Lookup: longest-prefix match with a link to the next shorter prefix for
// client addresses, one hash probe for the sender domain, for each parent some rule has a pattern
// for, and for the SASL user. docs/decisions/0011 has the figures.
class MitigationSet {
 public:
  struct Source {
    std::vector<Mitigation> mitigations{};  // each passed validate(); twins by name: the last wins
    std::vector<Exemption> exemptions{};
    std::uint64_t revision = 0;
  };

  MitigationSet();  // empty, revision 0
  // About a microsecond a mitigation. std::length_error if the texts exceed 4 GiB.
  static std::shared_ptr<const MitigationSet> build(const Source& source);
  ~MitigationSet();
  MitigationSet(const MitigationSet&) = delete;
  MitigationSet& operator=(const MitigationSet&) = delete;

  std::size_t size() const;  // mitigations
  std::size_t exemption_count() const;
  std::uint64_t revision() const;
  std::size_t memory_bytes() const;  // index and packed rules together

  // Scope, each list packed as canonical texts that end with a line feed ("*.example.com\n").
  struct RuleScope {
    std::string_view sender_domains, sasl_users, recipient_domains;
  };
  // The fields of a rule that decide() and replies need. The views live as long as the set.
  struct Rule {
    std::string_view name, reason, reply_code, reply_enhanced, reply_text, reroute_transport;
    Action action;
    Mode mode;
    int priority;
    std::optional<TimePoint> starts, ends;
    std::optional<RateLimit> rate_limit;
    RuleScope scope;
    bool is_active(TimePoint now) const {
      return (!starts || *starts <= now) && (!ends || now < *ends);
    }
  };
  Rule rule(RuleId id) const;
  std::optional<RuleId> find(std::string_view name) const;  // linear; for tools

  // One rule that matched by one of its targets.
  struct Match {
    RuleId rule;
    std::uint32_t target;  // for target_text()
  };
  std::string target_text(std::uint32_t target) const;

  // Appends every rule one of whose targets matches, active or not, scope not yet looked at,
  // nearest target first: prefixes from the narrowest on, the SASL user, the sender domain,
  // patterns above it. A rule that matches by two targets comes once. No allocation beyond `out`'s
  // growth. `sasl_user` is lower case, `sender_domain` canonical; empty: none.
  void find(const IpAddress* client, std::string_view sasl_user, std::string_view sender_domain,
            std::vector<Match>& out) const;

  // What decide() asks: exemption(), and where that is none, find(); the reads of both overlap.
  std::optional<std::string_view> find_unless_exempt(const IpAddress* client,
                                                     std::string_view sasl_user,
                                                     std::string_view sender_domain, TimePoint now,
                                                     std::vector<Match>& out) const;

  // The exemption that covers the message and has not ended, as target text; nullopt: none.
  std::optional<std::string_view> exemption(const IpAddress* client, std::string_view sasl_user,
                                            std::string_view sender_domain, TimePoint now) const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace ipmit::policy
