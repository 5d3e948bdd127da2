// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "schema/redis_connection.h"
#include "schema/store.h"

namespace ipmit::schema {

// Hits of mitigations on their way from the milters to the record, kept in Redis for at most a
// week. Each call is one atomic step and may be repeated after an error; a step whose answer was
// lost may be counted twice, which a counter for people can bear, and none is lost. Both throw the
// errors of RedisConnection. One thread at a time.
class RedisHits {
 public:
  explicit RedisHits(RedisOptions options) : connection_(std::move(options)) {}

  void add(const std::vector<Store::Hit>& hits);

  // For the controller: the hits since the last forget_taken(); take() again gives the same ones.
  std::vector<Store::Hit> take();
  void forget_taken();

 private:
  RedisConnection connection_;
};

}  // namespace ipmit::schema
