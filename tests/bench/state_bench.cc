// SPDX-License-Identifier: Apache-2.0
// How fast rules and limits move: the disk snapshot, Redis as source and as shared limiter.
// usage: bench_state [RULES [PART…]]   (1000000, the targets hold for that; PART: limiter, feeds,
// disk, redis)
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "common/log.h"
#include "milter/redis_limiter.h"
#include "milter/rule_feed.h"
#include "policy/mitigation_set.h"
#include "schema/redis_publisher.h"
#include "schema/redis_source.h"
#include "schema/snapshot_file.h"
#include "tests/support/sample_rules.h"
#include "tests/support/temp_redis.h"

namespace ipmit {
namespace {

using Clock = std::chrono::steady_clock;
using Seconds = std::chrono::duration<double>;
using policy::Charge;
using policy::MitigationSet;
using schema::RedisPublisher;
using schema::RedisSource;

int missed = 0;

void report(const std::string& what, double value, const char* unit, double target) {
  const bool ok = target <= 0 || value <= target;
  if (!ok) ++missed;
  std::printf("%-62s %10.3f %-3s", what.c_str(), value, unit);
  if (target > 0) std::printf("  target <= %g %s", target, ok ? "ok" : "MISSED");
  std::printf("\n");
  std::fflush(stdout);
}

template <typename Function>
double seconds(Function function) {
  const auto begin = Clock::now();
  function();
  return Seconds(Clock::now() - begin).count();
}

schema::RedisOptions options(const test::TempRedis& redis) {
  schema::RedisOptions result;
  result.url = *schema::parse_redis_url(redis.unix_url());
  result.command_deadline = schema::Duration(10'000);
  return result;
}

// Wall time, and below it the processor time of this process: on a busy machine they differ.
template <typename Function>
void report_cost(const std::string& what, double target, Function function) {
  const std::clock_t before = std::clock();
  const double wall = seconds(function);
  report(what, wall, "s", target);
  report("  of it processor time here", static_cast<double>(std::clock() - before) / CLOCKS_PER_SEC,
         "s", 0);
}

void measure_disk(const MitigationSet::Source& rules) {
  const test::TempDir directory("bench");
  const auto file = directory / "rules";
  report_cost("disk: save", 0, [&] { schema::save_rules(file, rules, "e", common::now()); });
  const auto bytes = static_cast<double>(std::filesystem::file_size(file));
  report("disk: bytes a rule", bytes / static_cast<double>(rules.mitigations.size()), "B", 0);
  std::optional<schema::SavedRules> saved;
  report_cost("disk: load", 0, [&] { saved = schema::load_rules(file); });
  report_cost("disk: build the index", 0, [&] { MitigationSet::build(saved->set); });
  saved.reset();
  report_cost("disk: cold start (load and build)", 3,
              [&] { MitigationSet::build(schema::load_rules(file)->set); });
}

double redis_cpu_seconds(const test::TempRedis& redis) {
  double sum = 0;
  const std::string info = redis.cli({"INFO", "cpu"});
  for (const std::string_view name : {"used_cpu_sys:", "used_cpu_user:"})
    sum += std::strtod(info.c_str() + info.find(name) + name.size(), nullptr);
  return sum;
}

void measure_redis_rules(const MitigationSet::Source& rules) {
  const test::TempRedis redis;
  RedisPublisher publisher(options(redis));
  RedisPublisher::Report repaired;
  report_cost("redis: fill an empty one", 0, [&] {
    repaired = publisher.reconcile(rules, RedisPublisher::Depth::kIndex, common::now());
  });
  RedisSource source(options(redis));
  const double before = redis_cpu_seconds(redis);
  report_cost("redis: cold start (load and build)", 10,
              [&] { MitigationSet::build(source.load().set); });
  report("  and of Redis", redis_cpu_seconds(redis) - before, "s", 0);
  report_cost("redis: compare every record, nothing to repair", 0,
              [&] { publisher.reconcile(rules, RedisPublisher::Depth::kContent, common::now()); });

  const auto more = test::bulk_rules(rules.revision + 1, 10'000);
  std::vector<schema::Change> changes;
  for (const auto& rule : more.mitigations) changes.push_back({rule.revision, rule});
  bool published = false;
  report_cost("redis: publish 10 000 changes", 2, [&] {
    published = publisher.publish(repaired.epoch, rules.revision, changes, more.revision);
  });
  report_cost("redis: a reader takes 10 000 changes (without build)", 0, [&] {
    source.wait_for_change(schema::Duration(1'000), {});
    source.load();
  });
  if (!published) std::printf("publish was refused\n"), ++missed;
}

// Until five milters enforce a change among 10 000 rules, each change by itself.
void measure_feeds() {
  const test::TempRedis redis;
  const test::TempDir files("bench");
  const auto rules = test::bulk_rules(1, 10'000);
  RedisPublisher publisher(options(redis));
  const auto filled = publisher.reconcile(rules, RedisPublisher::Depth::kIndex, common::now());
  common::Metrics metrics;
  std::vector<std::unique_ptr<milter::RuleFeed>> feeds;
  for (int i = 0; i < 5; ++i) {
    milter::RuleFeed::Options feed;
    feed.snapshot_file = files / std::to_string(i);
    feeds.push_back(std::make_unique<milter::RuleFeed>(
        feed, [&] { return std::make_unique<RedisSource>(options(redis)); }, metrics));
    feeds.back()->start();
  }
  std::vector<double> times;
  for (std::uint64_t at = rules.revision; at < rules.revision + 200; ++at) {
    const std::vector<schema::Change> change = {
        {at + 1, test::bulk_rules(at + 1, 1).mitigations[0]}};
    times.push_back(seconds([&] {
      publisher.publish(filled.epoch, at, change, at + 1);
      for (const auto& feed : feeds)
        while (feed->rules().current()->revision() != at + 1)
          std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }));
  }
  std::sort(times.begin(), times.end());
  report("feeds: five enforce a change, p50", times[times.size() / 2], "s", 0);
  report("feeds: five enforce a change, p99", times[times.size() * 99 / 100], "s", 1);
}

using Times = std::vector<double>;  // milliseconds

Times charge_many(milter::Limiter& limiter, int threads, int calls) {
  std::vector<Times> times(static_cast<std::size_t>(threads));
  {
    std::vector<std::jthread> workers;
    for (Times& mine : times) {
      workers.emplace_back([&limiter, &mine, calls] {
        const policy::RateLimit limit{1'000'000, std::chrono::hours(1), 1'000'000,
                                      policy::RateUnit::kMessages, policy::RateKey::kTarget};
        for (int i = 0; i < calls; ++i) {
          const std::vector<Charge> one = {
              {0, "bench 10.0.0." + std::to_string(i % 250), limit, 1}};
          mine.push_back(1'000 * seconds([&] { limiter.charge(one, common::now()); }));
        }
      });
    }
  }
  Times all;
  for (const Times& part : times) all.insert(all.end(), part.begin(), part.end());
  return all;
}

double percentile(Times times, std::size_t percent) {
  std::sort(times.begin(), times.end());
  return times[times.size() * percent / 100];
}

void measure_limiter() {
  test::TempRedis redis;
  common::Metrics metrics;
  milter::RedisLimiter::Options limiter_options;
  limiter_options.redis = options(redis);
  milter::RedisLimiter limiter(limiter_options, metrics);
  if (!test::wait_until([&] { return limiter.is_shared(); })) std::abort();

  // A bare round trip, measured in turn with the charges: what the machine allows at best.
  schema::RedisConnection connection(options(redis));
  Times pings, charges;
  for (int round = 0; round < 20; ++round) {
    for (int i = 0; i < 1'000; ++i)
      pings.push_back(1'000 * seconds([&] { connection.command({"PING"}); }));
    const Times some = charge_many(limiter, 1, 1'000);
    charges.insert(charges.end(), some.begin(), some.end());
  }
  report("limiter: a bare PING, p50", percentile(pings, 50), "ms", 0);
  report("limiter: a bare PING, p99", percentile(pings, 99), "ms", 0);
  report("limiter: one thread, p50", percentile(charges, 50), "ms", 0);
  report("limiter: one thread, p99", percentile(charges, 99), "ms", 1);
  report("limiter: 8 threads, p99", percentile(charge_many(limiter, 8, 5'000), 99), "ms", 0);
  redis.pause();
  report("limiter: Redis silent, p99", percentile(charge_many(limiter, 4, 5'000), 99), "ms", 5);
  redis.resume();
  if (!test::wait_until([&] { return limiter.is_shared(); })) std::abort();
  redis.kill();
  report("limiter: Redis stopped, p99", percentile(charge_many(limiter, 4, 5'000), 99), "ms", 5);

  milter::LocalLimiter local;
  report("limiter: local, p99", percentile(charge_many(local, 1, 200'000), 99), "ms", 0);
}

}  // namespace
}  // namespace ipmit

int main(int argc, char** argv) {
  ipmit::common::start_log("bench_state", ipmit::common::LogLevel::kError);
  const std::size_t count = argc > 1 ? std::strtoul(argv[1], nullptr, 10) : 1'000'000;
  const auto wanted = [&](std::string_view part) {
    return argc <= 2 || std::find(argv + 2, argv + argc, part) != argv + argc;
  };
  std::printf("state, %zu rules\n", count);
  if (wanted("limiter")) ipmit::measure_limiter();
  if (wanted("feeds")) ipmit::measure_feeds();
  const auto rules = ipmit::test::bulk_rules(1, wanted("disk") || wanted("redis") ? count : 1);
  if (wanted("disk")) ipmit::measure_disk(rules);
  if (wanted("redis")) ipmit::measure_redis_rules(rules);
  return ipmit::missed == 0 ? 0 : 1;
}
