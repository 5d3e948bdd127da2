// SPDX-License-Identifier: Apache-2.0
#include "schema/upkeep.h"

#include <algorithm>
#include <stdexcept>
#include <vector>

#include "common/log.h"

namespace ipmit::schema {

using common::log_event;
using common::LogLevel;

void Upkeep::run_if_due(common::TimePoint now) {
  // A clock that was set back must not stop it for long.
  if (now < due_ && due_ - now <= kEvery) return;
  try {
    run(now);
  } catch (const std::runtime_error& error) {
    record_.reset();
    due_ = now + kAfterFailure;
    log_event(LogLevel::kWarn, "upkeep_failed", {{"reason", error.what()}});
  }
}

void Upkeep::run(common::TimePoint now) {
  if (!record_) record_ = open_();
  const auto removed = record_->apply_retention(spans_, now, kMostAtOnce);
  const bool more = std::any_of(removed.begin(), removed.end(),
                                [](const auto& one) { return one.rows >= kMostAtOnce; });
  due_ = more ? now : now + kEvery;
  for (const auto& one : removed)
    if (one.rows > 0)
      log_event(LogLevel::kInfo, "record_trimmed", {{"table", one.what}, {"count", one.rows}});
}

}  // namespace ipmit::schema
