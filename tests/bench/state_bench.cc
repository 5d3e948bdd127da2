// SPDX-License-Identifier: Apache-2.0
// How fast rules and limits move: the disk snapshot, Redis as source and as shared limiter.
// usage: bench_state [RULES [PART…]]   (1000000, the targets hold for that; PART: limiter, few,
// change, feeds, disk, redis)
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <fstream>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <malloc.h>

#include "common/log.h"
#include "milter/redis_limiter.h"
#include "milter/rule_feed.h"
#include "policy/decide.h"
#include "policy/mitigation_set.h"
#include "schema/redis_publisher.h"
#include "schema/redis_source.h"
#include "schema/snapshot_file.h"
#include "tests/support/sample_rules.h"
#include "tests/support/slow_proxy.h"
#include "tests/support/temp_redis.h"

namespace ipmit {
namespace {

using Clock = std::chrono::steady_clock;
using Seconds = std::chrono::duration<double>;
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

double memory_mb(const char* which) {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);)
    if (line.starts_with(which))
      return std::strtod(line.c_str() + line.find(':') + 1, nullptr) / 1e3;
  return 0;
}

// Until one milter enforces a change among so many rules, each change by itself, and what the
// copies on the way take at most.
void measure_change(std::size_t count) {
  const test::TempRedis redis;
  const test::TempDir files("bench");
  RedisPublisher publisher(options(redis));
  std::uint64_t at = count;
  std::string epoch;
  {
    const auto rules = test::bulk_rules(1, count);
    epoch = publisher.reconcile(rules, RedisPublisher::Depth::kIndex, common::now()).epoch;
    at = rules.revision;
  }
  malloc_trim(0);
  std::ofstream("/proc/self/clear_refs") << 5;  // the peak so far is not ours
  common::Metrics metrics;
  milter::RuleFeed::Options feed_options;
  feed_options.snapshot_file = files / "rules";
  feed_options.start_deadline = schema::Duration(60'000);
  const double before = memory_mb("VmRSS");
  milter::RuleFeed feed(
      feed_options, [&] { return std::make_unique<RedisSource>(options(redis)); }, metrics);
  feed.start();
  const std::string what = "change among " + std::to_string(count);
  report(what + ": index, records and first copy", memory_mb("VmRSS") - before, "MB", 0);
  std::vector<double> times;
  for (int i = 0; i < 10; ++i, ++at) {
    const std::vector<schema::Change> change = {
        {at + 1, test::bulk_rules(at + 1, 1).mitigations[0]}};
    times.push_back(seconds([&] {
      publisher.publish(epoch, at, change, at + 1);
      while (feed.rules().current()->revision() != at + 1)
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }));
  }
  std::sort(times.begin(), times.end());
  report(what + ": enforced, p50 of 10", times[5], "s", 0);
  report(what + ": enforced, max of 10", times.back(), "s", 0);
  report(what + ": the index alone",
         static_cast<double>(feed.rules().current()->memory_bytes()) / 1e6, "MB", 0);
  report(what + ": memory after it", memory_mb("VmRSS") - before, "MB", 0);
  report(what + ": memory at most", memory_mb("VmHWM") - before, "MB", 0);
  const double peak = memory_mb("VmRSS");
  malloc_trim(0);
  report(what + ": of it free, and kept by malloc", peak - memory_mb("VmRSS"), "MB", 0);
}

using Times = std::vector<double>;  // milliseconds

double percentile(Times times, std::size_t percent) {
  std::sort(times.begin(), times.end());
  return times[times.size() * percent / 100];
}

void report_outage(const std::string& what, const Times& times) {
  report("decision: " + what + ", p99", percentile(times, 99), "ms", 5);
  report("decision: " + what + ", above 5 ms",
         static_cast<double>(
             std::count_if(times.begin(), times.end(), [](double t) { return t > 5; })),
         "", 0);
  report("decision: " + what + ", the slowest of " + std::to_string(times.size()),
         *std::max_element(times.begin(), times.end()), "ms", 0);
}

// What a message of a throttled sender costs: found among 10 000 rules, then charged.
class Decisions {
 public:
  Decisions() {
    auto rules = test::bulk_rules(1, 10'000);
    rules.mitigations.push_back(test::throttle("bench", "domain:limited.example", 10'001));
    rules.mitigations.back().rate_limit =
        policy::RateLimit{1'000'000, std::chrono::hours(1), 1'000'000, policy::RateUnit::kMessages,
                          policy::RateKey::kTarget};
    set_ = MitigationSet::build(rules);
  }

  Times take(milter::Limiter& limiter, int threads, int calls) const {
    std::vector<Times> times(static_cast<std::size_t>(threads));
    {
      std::vector<std::jthread> workers;
      for (Times& mine : times)
        workers.emplace_back(
            [this, &limiter, &mine, calls] { take_one_by_one(limiter, mine, calls); });
    }
    Times all;
    for (const Times& part : times) all.insert(all.end(), part.begin(), part.end());
    return all;
  }

 private:
  void take_one_by_one(milter::Limiter& limiter, Times& times, int calls) const {
    const auto client = policy::IpAddress::from_v4({198, 51, 100, 7});
    const auto sender = policy::EnvelopeAddress::parse("<a@limited.example>");
    policy::MessageFacts facts;
    facts.client = &client;
    facts.sender = &sender;
    policy::Decision decision;
    for (int i = 0; i < calls; ++i) {
      times.push_back(1'000 * seconds([&] {
                        const auto now = common::now();
                        policy::decide(*set_, facts, policy::Stage::kMail, now, {}, decision);
                        if (decision.charges.size() != 1) std::abort();
                        limiter.charge(decision.charges, now);
                      }));
    }
  }

  std::shared_ptr<const MitigationSet> set_;
};

// Commands of this kind that Redis has had.
double commands(const test::TempRedis& redis, std::string_view kind) {
  const std::string info = redis.cli({"INFO", "commandstats"});
  const std::string name = "cmdstat_" + std::string(kind) + ":calls=";
  const std::size_t at = info.find(name);
  return at == std::string::npos ? 0 : std::strtod(info.c_str() + at + name.size(), nullptr);
}

void wait_shared(const milter::RedisLimiter& limiter) {
  if (!test::wait_until([&] { return limiter.is_shared(); })) std::abort();
}

void measure_limiter() {
  test::TempRedis redis;
  const Decisions decisions;
  common::Metrics metrics;
  milter::RedisLimiter::Options limiter_options;
  limiter_options.redis = options(redis);
  milter::RedisLimiter limiter(limiter_options, metrics);
  wait_shared(limiter);

  // A bare round trip, measured in turn with the decisions: what the machine allows at best.
  schema::RedisConnection connection(options(redis));
  Times pings, taken;
  const double before = commands(redis, "evalsha");
  for (int round = 0; round < 20; ++round) {
    for (int i = 0; i < 1'000; ++i)
      pings.push_back(1'000 * seconds([&] { connection.command({"PING"}); }));
    const Times some = decisions.take(limiter, 1, 1'000);
    taken.insert(taken.end(), some.begin(), some.end());
  }
  const double asked = commands(redis, "evalsha") - before;
  report("decision: a bare PING, p50", percentile(pings, 50), "ms", 0);
  report("decision: a bare PING, p99", percentile(pings, 99), "ms", 0);
  report("decision: throttled, p50", percentile(taken, 50), "ms", 0);
  report("decision: throttled, p99", percentile(taken, 99), "ms", 1);
  // The limiter looks after its connections now and then.
  report("decision: round trips to Redis a throttled message",
         asked / static_cast<double>(taken.size()), "", 1.01);
  report("decision: throttled, 8 threads, p99", percentile(decisions.take(limiter, 8, 5'000), 99),
         "ms", 0);
  redis.pause();
  report_outage("Redis silent", decisions.take(limiter, 4, 5'000));
  redis.resume();
  wait_shared(limiter);
  redis.kill();
  report_outage("Redis stopped", decisions.take(limiter, 4, 5'000));
  milter::LocalLimiter local;
  report("decision: counted locally, p99", percentile(decisions.take(local, 1, 200'000), 99), "ms",
         0);
}

// Few messages, so that those which find out are a larger part: for a minute one every 100 ms, from
// five sessions in turn, beginning with the fault.
Times take_slowly(const Decisions& decisions, milter::Limiter& limiter) {
  constexpr int kSessions = 5, kCallsEach = 120;
  constexpr std::chrono::milliseconds kEvery(500), kBetween(100);
  std::vector<Times> times(kSessions);
  const auto begin = Clock::now();
  {
    std::vector<std::jthread> sessions;
    for (int i = 0; i < kSessions; ++i)
      sessions.emplace_back([&, i] {
        for (int call = 0; call < kCallsEach; ++call) {
          std::this_thread::sleep_until(begin + i * kBetween + call * kEvery);
          const Times one = decisions.take(limiter, 1, 1);
          times[static_cast<std::size_t>(i)].push_back(one[0]);
        }
      });
  }
  Times all;
  for (const Times& part : times) all.insert(all.end(), part.begin(), part.end());
  return all;
}

// The three outages side by side, each with its own server.
void measure_few_messages() {
  struct Outage {
    const char* what;
    std::function<void(test::TempRedis&, test::SlowProxy&)> begin;
    bool by_proxy = false;
    Times times{};
  };
  std::vector<Outage> outages = {
      {"no outage", [](auto&, auto&) {}},
      {"Redis silent", [](auto& redis, auto&) { redis.pause(); }},
      {"Redis stopped", [](auto& redis, auto&) { redis.kill(); }},
      {"Redis answers after 2 s",
       [](auto&, auto& proxy) { proxy.set_delay(std::chrono::seconds(2)); }, true}};
  {
    std::vector<std::jthread> runs;
    for (Outage& outage : outages)
      runs.emplace_back([&outage] {
        test::TempRedis redis;
        const std::uint16_t port = test::free_port();
        test::SlowProxy proxy(port, redis.port());
        const Decisions decisions;
        common::Metrics metrics;
        milter::RedisLimiter::Options limiter_options;
        limiter_options.redis = options(redis);
        if (outage.by_proxy)
          limiter_options.redis.url =
              *schema::parse_redis_url("redis://127.0.0.1:" + std::to_string(port));
        milter::RedisLimiter limiter(limiter_options, metrics);
        wait_shared(limiter);
        outage.begin(redis, proxy);
        outage.times = take_slowly(decisions, limiter);
      });
  }
  for (const Outage& outage : outages)
    report_outage("one in 100 ms, " + std::string(outage.what), outage.times);
}

void measure_slow_redis() {
  const test::TempRedis redis;
  const std::uint16_t port = test::free_port();
  test::SlowProxy proxy(port, redis.port());
  const Decisions decisions;
  common::Metrics metrics;
  milter::RedisLimiter::Options limiter_options;
  limiter_options.redis = options(redis);
  limiter_options.redis.url = *schema::parse_redis_url("redis://127.0.0.1:" + std::to_string(port));
  milter::RedisLimiter limiter(limiter_options, metrics);
  wait_shared(limiter);
  proxy.set_delay(std::chrono::seconds(2));
  report_outage("Redis answers after 2 s", decisions.take(limiter, 4, 5'000));
  proxy.set_delay(std::chrono::milliseconds(0));
  report("decision: shared again after that", seconds([&] { wait_shared(limiter); }), "s", 0);
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
  if (wanted("limiter")) ipmit::measure_limiter(), ipmit::measure_slow_redis();
  if (wanted("few")) ipmit::measure_few_messages();
  if (wanted("change")) ipmit::measure_change(count / 10), ipmit::measure_change(count);
  if (wanted("feeds")) ipmit::measure_feeds();
  const auto rules = ipmit::test::bulk_rules(1, wanted("disk") || wanted("redis") ? count : 1);
  if (wanted("disk")) ipmit::measure_disk(rules);
  if (wanted("redis")) ipmit::measure_redis_rules(rules);
  return ipmit::missed == 0 ? 0 : 1;
}
