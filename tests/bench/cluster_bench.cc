// SPDX-License-Identifier: Apache-2.0
// How soon a fleet agrees: after each of many changes, and after each fault at its full length.
// Five real ipmit-milter, two ipmit-controller, PostgreSQL and Redis, 10 000 mitigations, and a
// real Postfix with one more milter, through which mail is sent all the time.
// usage: bench_cluster [CHANGES] [SUBSTRING_OF_A_FAULT]   (default 1000 and all; some four minutes)
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "tests/support/fleet_faults.h"
#include "tests/support/mail_loop.h"
#include "tests/support/temp_postfix.h"

namespace ipmit {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t kRules = 10'000;
constexpr double kChangeTarget = 1, kRecoveryTarget = 5;  // seconds
// A server that hangs and keeps its connections: 10 s until it is given up, then some connects.
constexpr double kHungTarget = 20;

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

// A Postfix beside the fleet, if there can be one on this machine.
class Mail {
 public:
  explicit Mail(test::TestFleet& fleet) {
    if (const auto reason = test::TempPostfix::missing()) {
      std::printf("no Postfix: %s\n", reason->c_str());
      return;
    }
    test::TempPostfix::Options options;
    options.default_action = "tempfail";
    postfix_.emplace(options);
    milter_ = fleet.start_milter("postfix", postfix_->milter_socket().string(),
                                 "  socket_group: postfix\n");
  }
  // One session about every tenth of a second, while it lives.
  std::unique_ptr<test::MailLoop> send() const {
    if (!postfix_) return nullptr;
    return std::make_unique<test::MailLoop>(postfix_->port(), std::chrono::milliseconds(200));
  }

 private:
  std::optional<test::TempPostfix> postfix_;
  std::unique_ptr<test::Daemon> milter_;
};

void measure(const std::string& fault, test::TestFleet& fleet, const Mail& mail,
             const std::function<void()>& happen, double target = kRecoveryTarget) {
  const auto loop = mail.send();
  const test::Recovery recovery = test::recover(fleet, happen);
  std::vector<std::string> failures = recovery.failures;
  if (loop) {
    if (!loop->wait_for(2)) failures.emplace_back("no mail passes");
    for (const std::string& failure : loop->stop()) failures.push_back("Postfix: " + failure);
  }
  const bool ok = recovery.in_step && recovery.seconds <= target && failures.empty() &&
                  recovery.differences == 0;
  std::printf("| %-40s | %6.2f s | %8d | %5d | %8zu | %s\n", fault.c_str(), recovery.seconds,
              recovery.sessions, loop ? loop->sent() : 0, failures.size(), verdict(ok));
  for (const std::string& failure : failures) std::printf("    %s\n", failure.c_str());
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
    const Mail mail(fleet);
    std::printf("| %-40s | agree in | sessions | mails | failures |\n", "fault");
    for (const test::FleetFault& fault : test::fleet_faults())
      if (asked(fault.name))
        measure(fault.name, fleet, mail, [&] { fault.happen(fleet, redis, test::Outage::kFull); });
  }
  const std::string redis_failover = "Redis failed over by Sentinel";
  if (asked(redis_failover)) {
    test::SentinelPair redis;
    test::TestFleet fleet(redis.sentinel.url(), {.controllers = 2, .rules = kRules});
    measure(redis_failover, fleet, Mail(fleet), [&] { redis.fail_over(fleet); });
  }
  using Failover = test::TestFleet::Failover;
  const std::pair<Failover, std::string> failovers[] = {
      {Failover::kClean, "PostgreSQL failed over to its standby"},
      {Failover::kLosesChanges, "PostgreSQL failed over, changes lost"},
      {Failover::kOldOneHangs, "PostgreSQL failed over, old one hangs"}};
  for (const auto& one : failovers) {
    const Failover how = one.first;
    const std::string& failover = one.second;
    if (!asked(failover)) continue;
    test::TempRedis redis;
    test::TestFleet fleet(redis.url(), {.controllers = 2, .rules = kRules, .standby = true});
    const auto fail_over = [&] {
      fleet.fail_over_postgres(how, [&] {
        fleet.change();
        fleet.wait_enforced();
      });
    };
    measure(failover, fleet, Mail(fleet), fail_over,
            how == Failover::kOldOneHangs ? kHungTarget : kRecoveryTarget);
  }
  return missed == 0 ? 0 : 1;
}

}  // namespace
}  // namespace ipmit

int main(int argc, char** argv) {
  const std::size_t changes = argc > 1 ? std::strtoul(argv[1], nullptr, 10) : 1'000;
  return ipmit::run(changes, argc > 2 ? argv[2] : "");
}
