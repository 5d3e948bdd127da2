// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "schema/redis_connection.h"
#include "schema/store.h"

namespace ipmit::schema {

// Hits of mitigations on their way from the milters to the record, kept in Redis for at most a
// week. Each call is one atomic step. All throw the errors of RedisConnection. One thread at a
// time.
//
// On their way to the store hits count exactly once, whatever is killed between the steps: they are
// set aside under a name that stays with them until the store has them, and the store knows the
// name (Store::add_hits). A Redis that is replaced by an older dump brings back what it held then.
class RedisHits {
 public:
  explicit RedisHits(RedisOptions options) : connection_(std::move(options)) {}

  // After an error it may have been done or not; repeated, it may count twice.
  void add(const std::vector<Store::Hit>& hits);

  // For the controller: the hits since the last batch that was forgotten. take() again gives the
  // same batch.
  struct Batch {
    std::string name;
    std::vector<Store::Hit> hits;
  };
  Batch take();
  // It is in the store. Does nothing where another batch was taken meanwhile.
  void forget(const std::string& batch);

 private:
  RedisConnection connection_;
};

}  // namespace ipmit::schema
