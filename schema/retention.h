// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "common/clock.h"

namespace ipmit::schema {

// For how long each part of the record is kept. What depends on the audit going back far enough
// loads everything instead (Store::changes_since).
struct RetentionSpans {
  common::Duration statistics = std::chrono::days(90);
  common::Duration findings = std::chrono::days(90);  // with their evidence
  common::Duration audit = std::chrono::days(400);
  common::Duration dead_recipients = std::chrono::days(180);  // after the last bounce
};

// Keeps the record from growing for ever. Errors, threads and blocking as with schema/store.h.
class Retention {
 public:
  virtual ~Retention() = default;

  struct Removed {
    std::string what;        // the table
    std::uint64_t rows = 0;  // of partitioned statistics: whole days
  };
  // Removes what is older than `spans` say, at most `most` rows of each table, so that nobody waits
  // for long: where as many went, there may be more. Prepares the days to come.
  virtual std::vector<Removed> apply_retention(const RetentionSpans& spans, common::TimePoint now,
                                               std::size_t most) = 0;
};

}  // namespace ipmit::schema
