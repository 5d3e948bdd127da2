// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "schema/redis_connection.h"

namespace ipmit::schema {

// What a live milter says of itself: a hash that `ipmitctl status` shows and `--wait` waits for,
// gone when the milter has not been heard for `lifetime`.
struct MilterSign {
  std::string id;  // unique among the milters: "host/pid"
  std::string host;
  std::string version;
  std::string state;           // RuleState: "fresh", "stale", "from-disk", "none"
  std::uint64_t revision = 0;  // of the rules it enforces
  std::uint64_t rules = 0;
  std::string since;  // RFC 3339: start of the program
};

// Both throw the errors of RedisConnection. announce() returns how many milters are alive.
std::uint32_t announce_milter(RedisConnection& connection, const MilterSign& sign,
                              Duration lifetime);
void withdraw_milter(RedisConnection& connection, const std::string& id);

std::vector<MilterSign> live_milters(RedisConnection& connection);

}  // namespace ipmit::schema
