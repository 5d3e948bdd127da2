// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "policy/mitigation_set.h"
#include "schema/redis_connection.h"
#include "schema/store.h"

namespace ipmit::schema {

using common::TimePoint;

// Writes the rules to Redis for the controller, the only writer. The store is the record: whatever
// Redis holds otherwise is put right. Each batch (data, index, revision and change stream) is one
// atomic step, so readers see whole changes; a batch that was sent twice changes nothing the second
// time. Blocks for the deadlines of the connection; throws its errors. One thread at a time.
class RedisPublisher {
 public:
  explicit RedisPublisher(RedisOptions options) : connection_(std::move(options)) {}

  struct Status {
    std::string epoch;   // empty: Redis holds nothing that readers would take
    std::string record;  // Store::epoch() that it was filled from
    std::uint64_t revision = 0;
    std::size_t mitigations = 0;
    std::size_t exemptions = 0;
  };
  Status status();

  // Changes that follow on `from`, by rising revision; afterwards Redis is at `to`, which is at
  // least the last one's. false: Redis is not at `from` in `epoch` (any more); reconcile.
  bool publish(const std::string& epoch, std::uint64_t from, std::span<const Change> changes,
               std::uint64_t to);

  // kIndex compares names and revisions; kContent every field of every record and every target's
  // set, which finds what somebody altered by hand.
  enum class Depth { kIndex, kContent };
  struct Report {
    std::size_t missing = 0, extra = 0, altered = 0;
    std::size_t damaged = 0;  // keys that held another type and were deleted
    // Redis was empty, ahead of the store or filled from another history: readers read all again.
    bool new_epoch = false;
    std::string epoch;
    std::size_t repaired() const { return missing + extra + altered + damaged; }
  };
  // Makes Redis hold exactly `wanted` of the store whose epoch is `record` (empty: whichever),
  // without what ended more than a day before `now` (Redis forgets that by itself). The same call
  // again repairs nothing. TransientError if another publisher interferes.
  Report reconcile(const policy::MitigationSet::Source& wanted, Depth depth, TimePoint now,
                   const std::string& record = {});

 private:
  class Batch;
  struct Differences;

  Report reconcile_once(const policy::MitigationSet::Source& wanted, Depth depth, TimePoint now,
                        const std::string& record);
  Differences compare(const policy::MitigationSet::Source& wanted, Depth depth, TimePoint now,
                      Report& report);
  template <typename Record>
  void compare_index(std::string_view index, const std::vector<const Record*>& wanted,
                     std::vector<const Record*>& put, std::vector<std::string>& remove,
                     Report& report);
  template <typename Record>
  void compare_content(const std::vector<const Record*>& wanted, std::vector<const Record*>& put,
                       Report& report);
  void compare_targets(const std::vector<const policy::Mitigation*>& wanted,
                       Differences& differences, Report& report);
  void repair(const Differences& differences, const Status& at, std::uint64_t revision,
              const std::string& record, Report& report);
  std::string send(Batch& batch, const std::string& epoch, const std::string& from);

  RedisConnection connection_;
};

}  // namespace ipmit::schema
