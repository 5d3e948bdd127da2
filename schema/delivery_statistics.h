// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "common/clock.h"

namespace ipmit::schema {

// How many deliveries of a target ended how on one day (UTC).
struct DeliveryCount {
  std::chrono::sys_days day{};
  std::string target;   // canonical text of a policy::Target
  std::string outcome;  // "delivered", "deferred", or a class of docs/bounce-classes.md
  std::uint64_t events = 0;

  friend bool operator==(const DeliveryCount&, const DeliveryCount&) = default;
};

// Deliveries a day, target and outcome, for people and for `ipmitctl top`. Errors, threads and
// blocking as with schema/store.h.
class DeliveryStatistics {
 public:
  static constexpr std::chrono::days kOldest{366};  // before today that is still counted
  static constexpr std::chrono::days kAhead{7};     // after today, for clocks that run ahead

  virtual ~DeliveryStatistics() = default;

  struct Added {
    bool repeated = false;    // this batch had been added before: nothing was done
    std::size_t ignored = 0;  // counts of days that are out of range: nobody's clock is that wrong
  };
  // Adds a batch in one transaction. `batch` (1 to 200 bytes) names the input it was counted from,
  // such as the first and last position read: whoever is not sure whether a batch was added adds it
  // again under the same name. The names are remembered for a week.
  virtual Added add(std::string_view batch, const std::vector<DeliveryCount>& counts,
                    common::TimePoint now) = 0;

  struct Span {
    std::chrono::sys_days first{}, last{};  // both included
  };
  // By day, then outcome.
  virtual std::vector<DeliveryCount> counts_of(std::string_view target, Span span) = 0;

  enum class TargetKind : std::uint8_t { kAddress, kUser, kDomain };  // of targets
  struct Ranked {
    std::string target;
    std::uint64_t events = 0;
    friend bool operator==(const Ranked&, const Ranked&) = default;
  };
  // Those with the most events of any of these outcomes (of any at all if there is none), largest
  // first, then by target.
  virtual std::vector<Ranked> top(TargetKind kind, const std::vector<std::string>& outcomes,
                                  Span span, std::size_t most) = 0;
};

}  // namespace ipmit::schema
