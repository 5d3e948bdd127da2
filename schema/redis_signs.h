// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "schema/redis_connection.h"

namespace ipmit::schema {

// What a live program says of itself: a hash that `ipmitctl status` shows and `--wait` waits for,
// gone when the program has not been heard for `lifetime`. Empty fields are left out.
struct MilterSign {
  std::string id;  // unique among the milters: "host/pid"
  std::string host;
  std::string version;
  std::string state;           // RuleState: "fresh", "stale", "from-disk", "none"
  std::string epoch;           // of the rules it enforces
  std::uint64_t revision = 0;  // likewise
  std::uint64_t rules = 0;
  std::uint64_t skipped = 0;  // entries it could not read
  std::string confirmed;      // RFC 3339: when its source last said that these rules hold
  std::string since;          // RFC 3339: start of the program
  std::string last_error;     // RFC 3339 and reason: when its source last failed, and why
};
struct ControllerSign {
  std::string id;
  std::string host;
  std::string version;
  std::string state;           // "leads", "stands by", "no store"
  std::uint64_t revision = 0;  // that it has written to Redis
  std::string since;
  std::string last_error;  // of PostgreSQL or Redis
};

// All throw the errors of RedisConnection. announce() returns how many such programs are alive.
std::uint32_t announce_milter(RedisConnection& connection, const MilterSign& sign,
                              Duration lifetime);
void withdraw_milter(RedisConnection& connection, const std::string& id);
std::vector<MilterSign> live_milters(RedisConnection& connection);

std::uint32_t announce_controller(RedisConnection& connection, const ControllerSign& sign,
                                  Duration lifetime);
void withdraw_controller(RedisConnection& connection, const std::string& id);
std::vector<ControllerSign> live_controllers(RedisConnection& connection);

// How far Redis is. Empty epoch: it holds nothing that a milter would take.
struct CacheHead {
  std::string epoch;
  std::uint64_t revision = 0;
  std::string record;  // Store::epoch() of the store that it was filled from
};
CacheHead cache_head(RedisConnection& connection);

}  // namespace ipmit::schema
