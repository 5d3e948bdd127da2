// SPDX-License-Identifier: Apache-2.0
// How soon a fleet agrees: after each of many changes, and after each fault at its full length.
// Five real ipmit-milter, two ipmit-controller, PostgreSQL and Redis, 10 000 mitigations.
// usage: bench_cluster [CHANGES] [SUBSTRING_OF_A_FAULT]   (default 1000 and all; some four minutes)
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "tests/support/fleet_faults.h"

namespace ipmit {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t kRules = 10'000;
constexpr double kChangeTarget = 1, kRecoveryTarget = 5;  // seconds

int missed = 0;

const char* verdict(bool ok) {
  if (!ok) ++missed;
  return ok ? "ok" : "MISSED";
}

void measure_changes(test::TestFleet& fleet, std::size_t count) {
  std::vector<double> times;
  for (std::size_t i = 0; i < count; ++i) {
    const auto begin = Clock::now();
    fleet.change();
    if (!fleet.wait_enforced()) {
      ++missed;
      std::printf("change %zu was never enforced\n%s", i, fleet.logs().c_str());
      return;
    }
    times.push_back(std::chrono::duration<double>(Clock::now() - begin).count());
  }
  std::sort(times.begin(), times.end());
  const double p99 = times[times.size() * 99 / 100];
  std::printf("%zu changes, until all five enforce it: p50 %.3f s, p99 %.3f s, max %.3f s  %s\n",
              count, times[times.size() / 2], p99, times.back(), verdict(p99 <= kChangeTarget));
  std::fflush(stdout);
}

void print(const std::string& fault, const test::Recovery& recovery) {
  const bool ok = recovery.in_step && recovery.seconds <= kRecoveryTarget &&
                  recovery.failures.empty() && recovery.differences == 0;
  std::printf("| %-40s | %6.2f s | %8d | %8zu | %s\n", fault.c_str(), recovery.seconds,
              recovery.sessions, recovery.failures.size(), verdict(ok));
  for (const std::string& failure : recovery.failures) std::printf("    %s\n", failure.c_str());
  if (recovery.differences > 0) std::printf("    %zu differ\n", recovery.differences);
  std::fflush(stdout);
}

int run(std::size_t changes, const std::string& wanted) {
  const auto asked = [&](const std::string& name) {
    return name.find(wanted) != std::string::npos;
  };
  std::printf("cluster, %zu rules\n", kRules);
  {
    test::TempRedis redis;
    test::TestFleet fleet(redis.url(), {.controllers = 2, .rules = kRules});
    if (changes > 0) measure_changes(fleet, changes);
    std::printf("| %-40s | agree in | sessions | failures |\n", "fault");
    for (const test::FleetFault& fault : test::fleet_faults())
      if (asked(fault.name))
        print(fault.name,
              test::recover(fleet, [&] { fault.happen(fleet, redis, test::Outage::kFull); }));
  }
  const std::string failover = "Redis failed over by Sentinel";
  if (asked(failover)) {
    test::SentinelPair redis;
    test::TestFleet fleet(redis.sentinel.url(), {.controllers = 2, .rules = kRules});
    print(failover, test::recover(fleet, [&] { redis.fail_over(fleet); }));
  }
  return missed == 0 ? 0 : 1;
}

}  // namespace
}  // namespace ipmit

int main(int argc, char** argv) {
  const std::size_t changes = argc > 1 ? std::strtoul(argv[1], nullptr, 10) : 1'000;
  return ipmit::run(changes, argc > 2 ? argv[2] : "");
}
