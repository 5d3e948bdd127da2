// SPDX-License-Identifier: Apache-2.0
#include "policy/rate_limit.h"

#include <algorithm>

namespace ipmit::policy {
namespace {

// Beyond any real time, and four of them still fit into 64 bits.
constexpr std::int64_t kFarUs = std::int64_t{1} << 60;

// count * interval, at most kFarUs.
std::int64_t span_us(std::uint32_t count, std::int64_t interval_us) {
  if (count != 0 && interval_us > kFarUs / count) return kFarUs;
  return interval_us * count;
}

}  // namespace

std::int64_t gcra_interval_us(const RateLimit& limit) {
  const std::int64_t period_us = std::chrono::microseconds(limit.period).count();
  const std::int64_t units = std::max<std::int64_t>(limit.limit, 1);
  return std::max<std::int64_t>((period_us + units / 2) / units, 1);
}

GcraOutcome gcra(const RateLimit& limit, std::int64_t tat_us, std::int64_t now_us,
                 std::uint32_t n) {
  GcraOutcome outcome{.conforms = false, .new_tat_us = tat_us, .retry_after_us = kNever};
  if (n > limit.burst) return outcome;
  const std::int64_t interval_us = gcra_interval_us(limit);
  const std::int64_t next_us = std::max(std::min(tat_us, kFarUs), now_us) + span_us(n, interval_us);
  const std::int64_t wait_us = next_us - span_us(limit.burst, interval_us) - now_us;
  outcome.conforms = wait_us <= 0;
  outcome.retry_after_us = std::max<std::int64_t>(wait_us, 0);
  if (outcome.conforms) outcome.new_tat_us = next_us;
  return outcome;
}

std::int64_t gcra_refund(const RateLimit& limit, std::int64_t tat_us, std::int64_t now_us,
                         std::uint32_t n) {
  if (tat_us <= now_us) return tat_us;
  return std::max(tat_us - span_us(n, gcra_interval_us(limit)), now_us);
}

}  // namespace ipmit::policy
