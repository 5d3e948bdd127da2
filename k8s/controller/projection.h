// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "common/clock.h"
#include "common/metrics.h"
#include "k8s/controller/last_error.h"
#include "schema/redis_publisher.h"
#include "schema/store.h"

namespace ipmit::controller {

using common::Duration;
using common::TimePoint;

// Keeps the cache equal to the record: what the store says at one revision is what Redis holds,
// whatever happens to Redis. Three depths, from cheap to thorough:
//   follow()  the changes since the projected revision, else a look at epoch and revision;
//   resync()  all names and revisions compared, the differences written;
//   verify()  every field compared: finds what somebody altered by hand.
// The store's errors pass through. Redis' errors do not: they are counted, logged once until it is
// back, and the next call starts with resync(). Belongs to the leading thread.
class Projection {
 public:
  // All outlive this.
  Projection(schema::Store& store, schema::RedisPublisher& publisher, LastError& last_error,
             common::Metrics& metrics);
  ~Projection() { in_step_gauge_.set(0); }  // who does not lead does not know
  Projection(const Projection&) = delete;
  Projection& operator=(const Projection&) = delete;

  // Brings Redis up to the store's revision. False: Redis did not answer.
  bool follow(TimePoint now);
  bool verify(TimePoint now);

  bool in_step() const { return in_step_; }
  std::uint64_t revision() const { return revision_; }

 private:
  bool resync(schema::RedisPublisher::Depth depth, TimePoint now);
  bool apply_changes();
  void note(const schema::RedisPublisher::Report& report);
  template <typename Call>
  bool with_cache(Call&& call);

  schema::Store& store_;
  schema::RedisPublisher& publisher_;
  LastError& last_error_;

  std::string epoch_;
  std::uint64_t revision_ = 0;
  bool in_step_ = false;  // Redis was at epoch_ and revision_ when last seen
  bool cache_failing_ = false;

  common::Metrics::Gauge revision_gauge_, rules_gauge_, in_step_gauge_;
  common::Metrics::Counter changes_, resyncs_, missing_, extra_, altered_, damaged_, cache_errors_;
};

}  // namespace ipmit::controller
