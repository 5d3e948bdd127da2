// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>

#include "schema/delivery_statistics.h"

namespace ipmit::schema {

inline bool is_countable(std::chrono::sys_days day, common::TimePoint now) {
  const auto today = std::chrono::floor<std::chrono::days>(now);
  return day >= today - DeliveryStatistics::kOldest && day <= today + DeliveryStatistics::kAhead;
}

}  // namespace ipmit::schema
