// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "tests/support/temp_redis.h"
#include "tests/support/test_fleet.h"

namespace ipmit::test {

// How long an outage lasts: as long as the requirement says (Redis silent for 10 s, PostgreSQL away
// for a minute), or just beyond every deadline that it has to outlast.
enum class Outage { kFull, kShort };

// What may happen to a fleet of docs/cluster.md. `happen` makes changes while the fault lasts and
// returns when it has ended.
struct FleetFault {
  std::string name;
  std::function<void(TestFleet&, TempRedis&, Outage)> happen;
};
// Of a fleet with two controllers and one Redis.
const std::vector<FleetFault>& fleet_faults();

// A Redis, its replica and a Sentinel.
struct SentinelPair {
  SentinelPair();
  // Kills the master between two changes; returns when the Sentinel has promoted the replica.
  void fail_over(TestFleet& fleet);

  TempRedis master;
  TempRedis replica{{"--replicaof", "127.0.0.1", std::to_string(master.port()),
                     "--repl-diskless-sync-delay", "0"}};
  TempSentinel sentinel{master};
};

struct Recovery {
  bool in_step = false;               // in the end every milter enforced everything
  double seconds = 0;                 // from the end of the fault until all enforced a change
  int sessions = 0;                   // with the milters, meanwhile
  std::vector<std::string> failures;  // of those sessions
  std::size_t differences = 0;        // between Redis and the store in the end
};
// Runs one fault beside a SessionLoop, changes something at its end, and waits.
Recovery recover(TestFleet& fleet, const std::function<void()>& fault);

}  // namespace ipmit::test
