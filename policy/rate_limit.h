// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "policy/mitigation.h"

namespace ipmit::policy {

// Generic cell rate algorithm with one stored number a key, the theoretical arrival time (TAT), in
// microseconds of whatever clock the caller uses (Redis TIME in a cluster). A key without a stored
// TAT is a full budget. Pure; the Redis script schema/gcra.lua does the same arithmetic.
//
// interval = period / limit; n units conform at `now` if max(tat, now) + n*interval -
// burst*interval
// <= now; then the new TAT is max(tat, now) + n*interval. At most `burst` at once and, over any
// window W, burst + W/interval.
struct GcraOutcome {
  bool conforms = false;
  std::int64_t new_tat_us = 0;      // as stored if it does not conform
  std::int64_t retry_after_us = 0;  // 0 if it conforms; kNever if n > burst
};
inline constexpr std::int64_t kNever = -1;

GcraOutcome gcra(const RateLimit& limit, std::int64_t tat_us, std::int64_t now_us, std::uint32_t n);

// Gives n units back that were taken and not used. Never gives more than a full budget.
std::int64_t gcra_refund(const RateLimit& limit, std::int64_t tat_us, std::int64_t now_us,
                         std::uint32_t n);

// The nominal interval between two units, rounded to a microsecond but at least 1.
std::int64_t gcra_interval_us(const RateLimit& limit);

}  // namespace ipmit::policy
