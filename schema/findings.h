// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/clock.h"

namespace ipmit::schema {

using common::Duration;
using common::TimePoint;

// One line or report that a finding stands on, as a person reads it. Stored as readable_evidence()
// makes it: valid UTF-8, local parts of addresses masked, at most 16 KiB.
struct Evidence {
  enum class Kind : std::uint8_t { kDelivery, kDsn, kComplaint, kTrap, kDnsbl, kHttp };
  std::string event;  // id of what was seen, 1 to 200 bytes; a finding holds each once
  TimePoint at{};
  Kind kind = Kind::kDelivery;
  std::string detail;
};
std::string_view to_string(Evidence::Kind kind);  // "delivery", "dsn", … as in the database
std::optional<Evidence::Kind> parse_evidence_kind(std::string_view text);

// A decision that a target is bad.
struct Finding {
  std::string id;  // of target, rule and window, 1 to 200 bytes: deciding twice is finding once
  TimePoint at{};
  std::string target;  // canonical text of a policy::Target
  std::string rule;    // of the detector's settings
  std::uint64_t events = 0;
  TimePoint window_begins{}, window_ends{};  // begins <= ends
  std::string summary;     // "37 of 50 recipients unknown": one line of at most 500 bytes
  std::string mitigation;  // name of what was done about it; empty: nothing (yet)

  friend bool operator==(const Finding&, const Finding&) = default;
};

// What the detector found and why; `ipmitctl explain` shows it. Every write may be repeated.
// Errors, threads and blocking as with schema/store.h.
class Findings {
 public:
  struct Found {
    Finding finding;
    std::vector<Evidence> evidence;
  };

  virtual ~Findings() = default;

  // All in one transaction. A finding whose id is there is brought up to date (the name of its
  // mitigation is kept if the new one has none), evidence is added to what is there.
  virtual void put(const std::vector<Found>& found) = 0;
  // Says what was done about a finding. false: no such finding.
  virtual bool link(std::string_view id, std::string_view mitigation) = 0;

  virtual std::optional<Finding> find(std::string_view id) = 0;
  struct Filter {
    std::string target{};      // of exactly this one; empty: of all
    std::string mitigation{};  // that led to this one; empty: whatever they led to
    std::optional<TimePoint> since{};
    std::size_t most = 1'000;
  };
  virtual std::vector<Finding> list(const Filter& filter) = 0;  // newest first
  virtual std::vector<Evidence> evidence(std::string_view id,
                                         std::size_t most) = 0;  // oldest first
};

}  // namespace ipmit::schema
