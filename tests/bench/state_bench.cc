// SPDX-License-Identifier: Apache-2.0
// How fast rules and limits move: the disk snapshot, Redis as source and as shared limiter.
// usage: bench_state [RULES]   (default 1000000; targets hold for that)
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
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

void measure_disk(const MitigationSet::Source& rules) {
  const test::TempDir directory("bench");
  const auto file = directory / "rules";
  report("disk: save", seconds([&] { schema::save_rules(file, rules, "e", common::now()); }), "s",
         0);
  report("disk: bytes a rule",
         static_cast<double>(std::filesystem::file_size(file)) /
             static_cast<double>(rules.mitigations.size()),
         "B", 0);
  std::optional<schema::SavedRules> saved;
  const double load = seconds([&] { saved = schema::load_rules(file); });
  const double build = seconds([&] { MitigationSet::build(saved->set); });
  report("disk: load", load, "s", 0);
  report("disk: build the index", build, "s", 0);
  report("disk: cold start", load + build, "s", 3);
}

void measure_redis_rules(const MitigationSet::Source& rules) {
  const test::TempRedis redis;
  RedisPublisher publisher(options(redis));
  RedisPublisher::Report repaired;
  report("redis: fill an empty one", seconds([&] {
           repaired = publisher.reconcile(rules, RedisPublisher::Depth::kIndex, common::now());
         }),
         "s", 0);
  RedisSource source(options(redis));
  report("redis: cold start (load and build)",
         seconds([&] { MitigationSet::build(source.load().set); }), "s", 10);
  report("redis: compare every record, nothing to repair", seconds([&] {
           publisher.reconcile(rules, RedisPublisher::Depth::kContent, common::now());
         }),
         "s", 0);

  const auto more = test::bulk_rules(rules.revision + 1, 10'000);
  std::vector<schema::Change> changes;
  for (const auto& rule : more.mitigations) changes.push_back({rule.revision, rule});
  bool published = false;
  report("redis: publish 10 000 changes", seconds([&] {
           published = publisher.publish(repaired.epoch, rules.revision, changes, more.revision);
         }),
         "s", 2);
  report("redis: a reader takes 10 000 changes (without build)", seconds([&] {
           source.wait_for_change(schema::Duration(1'000), {});
           source.load();
         }),
         "s", 0);
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

struct Latency {
  double p50_ms = 0, p99_ms = 0;
};

Latency charge_many(milter::Limiter& limiter, int threads, int calls) {
  std::vector<std::vector<double>> times(static_cast<std::size_t>(threads));
  {
    std::vector<std::jthread> workers;
    for (std::size_t t = 0; t < times.size(); ++t) {
      workers.emplace_back([&, t] {
        const policy::RateLimit limit{1'000'000, std::chrono::hours(1), 1'000'000,
                                      policy::RateUnit::kMessages, policy::RateKey::kTarget};
        for (int i = 0; i < calls; ++i) {
          const std::vector<Charge> one = {
              {0, "bench 10.0.0." + std::to_string(i % 250), limit, 1}};
          times[t].push_back(1'000 * seconds([&] { limiter.charge(one, common::now()); }));
        }
      });
    }
  }
  std::vector<double> all;
  for (const auto& part : times) all.insert(all.end(), part.begin(), part.end());
  std::sort(all.begin(), all.end());
  return {all[all.size() / 2], all[all.size() * 99 / 100]};
}

void measure_limiter() {
  test::TempRedis redis;
  common::Metrics metrics;
  milter::RedisLimiter::Options limiter_options;
  limiter_options.redis = options(redis);
  milter::RedisLimiter limiter(limiter_options, metrics);
  if (!test::wait_until([&] { return limiter.is_shared(); })) std::abort();

  const Latency alone = charge_many(limiter, 1, 20'000);
  report("limiter: one thread, p50", alone.p50_ms, "ms", 0);
  report("limiter: one thread, p99", alone.p99_ms, "ms", 1);
  const Latency crowd = charge_many(limiter, 8, 5'000);
  report("limiter: 8 threads, p99", crowd.p99_ms, "ms", 0);
  redis.pause();
  report("limiter: Redis silent, p99", charge_many(limiter, 4, 5'000).p99_ms, "ms", 5);
  redis.resume();
  if (!test::wait_until([&] { return limiter.is_shared(); })) std::abort();
  redis.kill();
  report("limiter: Redis stopped, p99", charge_many(limiter, 4, 5'000).p99_ms, "ms", 5);

  milter::LocalLimiter local;
  report("limiter: local, p99", charge_many(local, 1, 200'000).p99_ms, "ms", 0);
}

}  // namespace
}  // namespace ipmit

int main(int argc, char** argv) {
  ipmit::common::start_log("bench_state", ipmit::common::LogLevel::kError);
  const std::size_t count = argc > 1 ? std::strtoul(argv[1], nullptr, 10) : 1'000'000;
  std::printf("state, %zu rules\n", count);
  ipmit::measure_limiter();
  ipmit::measure_feeds();
  const auto rules = ipmit::test::bulk_rules(1, count);
  ipmit::measure_disk(rules);
  ipmit::measure_redis_rules(rules);
  return ipmit::missed == 0 ? 0 : 1;
}
