// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>

#include "common/clock.h"
#include "policy/decide.h"

namespace ipmit::milter {

using common::Duration;
using common::TimePoint;

// Whether throttled messages may pass. A Session asks once for all charges of a Decision, before it
// answers; if the message is not accepted after all, it gives them back with the same charges.
// Thread-safe. Never throws: a limiter that cannot ask its shared counters answers from its own.
class Limiter {
 public:
  struct Result {
    // Index of the first charge that does not conform; unset: all conform and all were taken. When
    // one is refused nothing is taken from any.
    std::optional<std::size_t> refused;
    // Until the refused charge would conform; unset if never (more units than the burst) or if
    // nothing was refused.
    std::optional<Duration> retry_after;

    bool ok() const { return !refused; }
  };

  virtual ~Limiter() = default;
  virtual Result charge(std::span<const policy::Charge> charges, TimePoint now) = 0;
  virtual void refund(std::span<const policy::Charge> charges, TimePoint now) = 0;
};

// Budgets in the memory of this process. A budget is a charge's key and rate limit together: two
// limits on one key are two budgets, and a changed limit starts with a full one. Holds at most
// `most_keys` budgets (some 150 bytes each); full budgets are forgotten first, then the eighth of
// a shard with the least to forgive, which evicted() counts. No call blocks for longer than the
// work of another call on the same shard; memory is allocated only for a budget not seen before.
class LocalLimiter : public Limiter {
 public:
  explicit LocalLimiter(std::size_t most_keys = 1'000'000);
  ~LocalLimiter() override;

  Result charge(std::span<const policy::Charge> charges, TimePoint now) override;
  void refund(std::span<const policy::Charge> charges, TimePoint now) override;

  // Limits are divided by this from now on: how many limiters share them. At least 1.
  void set_share(std::uint32_t limiters);

  std::size_t size() const;
  std::uint64_t evicted() const;  // budgets forgotten that were not full

 private:
  struct Shard;
  class Locks;
  std::size_t shard_of(std::size_t hash) const;

  const std::size_t most_per_shard_;
  std::unique_ptr<Shard[]> shards_;
  std::atomic<std::uint32_t> share_{1};
};

}  // namespace ipmit::milter
