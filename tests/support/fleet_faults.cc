// SPDX-License-Identifier: Apache-2.0
#include "tests/support/fleet_faults.h"

#include <chrono>
#include <csignal>
#include <stdexcept>

namespace ipmit::test {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::chrono::milliseconds kRecovery{60'000};

void kill_leader(TestFleet& fleet) {
  const int leader = fleet.leader();
  if (leader < 0) throw std::runtime_error("nobody leads");
  fleet.controller(static_cast<std::size_t>(leader)).kill();
}

void start_dead_controllers(TestFleet& fleet) {
  for (std::size_t i = 0; i < fleet.controllers(); ++i)
    if (!fleet.controller(i).running()) fleet.controller(i).start();
}

void let_pass(Outage outage, double full, double brief) {
  const std::chrono::duration<double> span(outage == Outage::kFull ? full : brief);
  wait_until([] { return false; }, std::chrono::duration_cast<std::chrono::milliseconds>(span));
}

void require(bool condition, const char* what) {
  if (!condition) throw std::runtime_error(what);
}

}  // namespace

const std::vector<FleetFault>& fleet_faults() {
  static const std::vector<FleetFault> faults = {
      {"Redis flushed",
       [](TestFleet& fleet, TempRedis& redis, Outage) {
         fleet.change();
         redis.cli({"FLUSHALL"});
       }},
      {"Redis restarted, empty",
       [](TestFleet& fleet, TempRedis& redis, Outage outage) {
         redis.kill();
         fleet.change();
         let_pass(outage, 2, 0.5);
         redis.start();
       }},
      {"Redis paused 10 s",
       [](TestFleet& fleet, TempRedis& redis, Outage outage) {
         redis.pause();
         for (int i = 0; i < 3; ++i) fleet.change();
         let_pass(outage, 10, 1.5);
         redis.resume();
       }},
      {"Redis replaced by an older dump",
       [](TestFleet& fleet, TempRedis& redis, Outage) {
         redis.save();
         for (int i = 0; i < 3; ++i) fleet.change();
         require(fleet.wait_enforced(), "the changes after the dump are not enforced");
         redis.kill();
         redis.start();
       }},
      {"PostgreSQL restarted",
       [](TestFleet& fleet, TempRedis&, Outage) {
         fleet.postgres().stop();
         fleet.postgres().start();
       }},
      {"PostgreSQL crashed, gone for a minute",
       [](TestFleet& fleet, TempRedis&, Outage outage) {
         fleet.postgres().kill();
         let_pass(outage, 60, 2);
         fleet.postgres().start();
       }},
      {"PostgreSQL silent for 10 s",
       [](TestFleet& fleet, TempRedis&, Outage outage) {
         fleet.postgres().pause();
         let_pass(outage, 10, 2);
         fleet.postgres().resume();
       }},
      {"leading controller killed",
       [](TestFleet& fleet, TempRedis&, Outage) {
         fleet.change();
         kill_leader(fleet);
       }},
      {"leading controller hangs",
       [](TestFleet& fleet, TempRedis&, Outage outage) {
         const int leader = fleet.leader();
         require(leader >= 0, "nobody leads");
         ChildProcess& process = fleet.controller(static_cast<std::size_t>(leader)).process();
         process.signal(SIGSTOP);
         fleet.change();
         // At its full length the other one has to take over meanwhile, after 10 s of silence.
         if (outage == Outage::kFull) require(fleet.wait_enforced(), "nobody takes over");
         process.signal(SIGCONT);
       }},
      {"both controllers killed and started",
       [](TestFleet& fleet, TempRedis&, Outage outage) {
         kill_leader(fleet);
         for (std::size_t i = 0; i < fleet.controllers(); ++i)
           if (fleet.controller(i).running()) fleet.controller(i).kill();
         fleet.change();
         let_pass(outage, 2, 0.5);
         start_dead_controllers(fleet);
       }},
      {"Redis and PostgreSQL killed at once",
       [](TestFleet& fleet, TempRedis& redis, Outage outage) {
         redis.kill();
         fleet.postgres().kill();
         let_pass(outage, 5, 1);
         fleet.postgres().start();
         redis.start();
       }},
  };
  return faults;
}

SentinelPair::SentinelPair() {
  require(wait_until([this] { return sentinel.replicas() == 1; }), "the Sentinel sees no replica");
}

void SentinelPair::fail_over(TestFleet& fleet) {
  fleet.change();
  master.kill();
  fleet.change();
  require(wait_until([this] { return sentinel.master_port() == replica.port(); }, kRecovery),
          "the Sentinel promotes nobody");
}

Recovery recover(TestFleet& fleet, const std::function<void()>& fault) {
  SessionLoop sessions(fleet.addresses());
  fault();
  const auto ended = Clock::now();
  fleet.change();
  Recovery recovery;
  recovery.in_step = fleet.wait_enforced(kRecovery);
  recovery.seconds = std::chrono::duration<double>(Clock::now() - ended).count();
  recovery.failures = sessions.stop();
  recovery.sessions = sessions.sessions();
  recovery.in_step = recovery.in_step && wait_until([&] { return fleet.all_hold_as_many(); });
  start_dead_controllers(fleet);  // for the next fault
  recovery.in_step = recovery.in_step && wait_until([&] { return fleet.leader() >= 0; }, kRecovery);
  recovery.differences = fleet.differences();
  return recovery;
}

}  // namespace ipmit::test
