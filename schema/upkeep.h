// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <memory>

#include "schema/retention.h"

namespace ipmit::schema {

// Keeps a record from growing for ever: for the loop of whoever is alone in writing it, the leading
// controller of a cluster. (On a single host `ipmitctl upkeep` does the same once.) Errors of the
// store are logged and tried again later: it can wait, the loop has better to do. One thread at a
// time; run_if_due() blocks for a few small transactions.
class Upkeep {
 public:
  using Open = std::function<std::unique_ptr<Retention>()>;
  static constexpr common::Duration kEvery = std::chrono::hours(1);
  static constexpr common::Duration kAfterFailure = std::chrono::minutes(1);
  static constexpr std::size_t kMostAtOnce = 1'000;  // rows of each table

  Upkeep(Open open, const RetentionSpans& spans) : open_(std::move(open)), spans_(spans) {}

  // Does a piece of the work at the first call, then every kEvery; while there is more, at each
  // call.
  void run_if_due(common::TimePoint now);

 private:
  void run(common::TimePoint now);

  const Open open_;
  const RetentionSpans spans_;
  std::unique_ptr<Retention> record_;
  common::TimePoint due_{};
};

}  // namespace ipmit::schema
