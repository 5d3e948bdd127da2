// SPDX-License-Identifier: Apache-2.0
// decide() and MitigationSet::build at 1k, 100k and 1M mitigations: half IPv4 (a tenth of it ranges
// around others), a quarter IPv6, a quarter domains and users.
//
// Latency is that of single calls, each for another message, by the steady clock, whose own cost
// (the least of many, reported as clock_ns) is taken off. The message was just read, as in the
// milter; of the rules only what earlier calls touched is in the cache. How many messages meet a
// rule is the same at each size (reported as acted_on). All messages are asked ten times:
//   p50_ns, p99_ns        of all calls, with whatever else the machine did meanwhile
//   best_p50_ns, best_p99_ns  of the best call of each message, 65535 others lying between two of
//   them ratio                 p50_ns compared with that at the first size
// memory_latency is what one read costs where each depends on the one before, over 64 MB: the unit
// in which a look-up among a million rules is paid.
#include <algorithm>
#include <array>
#include <chrono>
#include <map>
#include <numeric>
#include <random>
#include <string>
#include <vector>

#include <benchmark/benchmark.h>

#include "policy/decide.h"

namespace ipmit::policy {
namespace {

constexpr std::size_t kMessages = 1 << 16;

class Generator {
 public:
  explicit Generator(std::size_t rules) : rules_(rules) {}

  MitigationSet::Source source() {
    MitigationSet::Source source;
    source.mitigations.reserve(rules_);
    for (std::size_t i = 0; i < rules_; ++i) source.mitigations.push_back(mitigation(i));
    for (const char* text : {"127.0.0.0/8", "::1", "10.0.0.0/8", "user:postmaster@example.com"})
      source.exemptions.push_back({.target = *Target::parse(text), .reason = "ours", .ends = {}});
    return source;
  }

  struct Message {
    IpAddress client;
    std::string user;
    EnvelopeAddress sender;
  };
  // One in four from a listed address, one in eight from a listed domain or user.
  std::vector<Message> messages(const MitigationSet::Source& source) {
    std::vector<Message> all;
    all.reserve(kMessages);
    for (std::size_t i = 0; i < kMessages; ++i) all.push_back(message(source));
    return all;
  }

 private:
  std::uint64_t number(std::uint64_t below) { return random_() % below; }

  IpAddress v4() {
    const std::uint64_t bits = random_();
    return IpAddress::from_v4(
        {static_cast<std::uint8_t>(1 + number(222)), static_cast<std::uint8_t>(bits),
         static_cast<std::uint8_t>(bits >> 8), static_cast<std::uint8_t>(bits >> 16)});
  }
  IpAddress v6() {
    std::array<std::uint8_t, 16> bytes{0x20, 0x01};
    for (std::size_t i = 2; i < bytes.size(); ++i)
      bytes[i] = static_cast<std::uint8_t>(number(256));
    return IpAddress::from_v6(bytes);
  }
  std::string domain(std::uint64_t n) { return "mail" + std::to_string(n) + ".sender.example"; }

  Target target(std::size_t i) {
    switch (i % 8) {
      case 0:
        return Target(last_v4_ = IpPrefix::of(v4(), 24 + static_cast<int>(number(8))));
      case 1:  // around the one before
        return Target(IpPrefix::of(last_v4_.address(), 22 + static_cast<int>(number(2))));
      case 2:
      case 3:
        return Target(IpPrefix::of(v4(), 32));
      case 4:
        return Target(IpPrefix::of(v6(), number(2) == 0 ? 64 : 48));
      case 5:
        return Target(IpPrefix::of(v6(), 128));
      case 6:
        return *Target::parse((number(8) == 0 ? "domain:*." : "domain:") + domain(i));
      default:
        return *Target::parse("user:user" + std::to_string(i) + "@example.com");
    }
  }
  Mitigation mitigation(std::size_t i) {
    Mitigation mitigation;
    mitigation.name = "feed/list-" + std::to_string(i);
    mitigation.targets.push_back(target(i));
    mitigation.reason =
        std::to_string(5 + i % 90) + "% of " + std::to_string(i / 3) + " messages bounced";
    mitigation.ends = TimePoint(std::chrono::seconds(2'000'000'000 + i % 1000));
    if (i % 3 == 0) {
      mitigation.action = Action::kThrottle;
      mitigation.rate_limit = RateLimit{.limit = static_cast<std::uint32_t>(10 + i % 50),
                                        .period = std::chrono::hours(1),
                                        .burst = 20};
    } else {
      mitigation.action = i % 3 == 1 ? Action::kDefer : Action::kReject;
    }
    if (i % 20 == 0)
      mitigation.scope.sender_domains.push_back(*DomainPattern::parse(domain(i % 977)));
    return mitigation;
  }
  Message message(const MitigationSet::Source& source) {
    Message message{number(4) == 0 ? v6() : v4(), "",
                    EnvelopeAddress::parse("<bounce-" + std::to_string(number(1000)) + "@" +
                                           domain(number(rules_ * 8)) + ">")};
    if (number(2) == 0) message.user = "user" + std::to_string(number(rules_ * 8)) + "@example.com";
    if (number(4) == 0) {
      const Target& listed = source.mitigations[number(rules_)].targets[0];
      if (const IpPrefix* prefix = listed.prefix()) message.client = prefix->address();
    }
    if (number(8) == 0) {
      const Target& listed = source.mitigations[number(rules_)].targets[0];
      if (listed.domain() != nullptr)
        message.sender = EnvelopeAddress::parse("<a@" + listed.domain()->domain().text() + ">");
      if (listed.user() != nullptr) message.user = listed.user()->name;
    }
    return message;
  }

  const std::size_t rules_;
  std::mt19937_64 random_{20260101};
  IpPrefix last_v4_ = IpPrefix::of(*IpAddress::parse("192.0.2.0"), 24);
};

struct World {
  MitigationSet::Source source;
  std::shared_ptr<const MitigationSet> set;
  std::vector<Generator::Message> messages;
};

const World& world(std::size_t rules) {
  static std::map<std::size_t, World> worlds;
  World& made = worlds[rules];
  if (!made.set) {
    Generator generator(rules);
    made.source = generator.source();
    made.messages = generator.messages(made.source);
    made.set = MitigationSet::build(made.source);
  }
  return made;
}

double nanoseconds(std::chrono::steady_clock::duration duration) {
  return std::chrono::duration<double, std::nano>(duration).count();
}

double clock_cost() {
  double least = 1e9;
  for (int i = 0; i < 1000; ++i) {
    const auto start = std::chrono::steady_clock::now();
    least = std::min(least, nanoseconds(std::chrono::steady_clock::now() - start));
  }
  return least;
}

double percentile(std::vector<double>& values, std::size_t percent) {
  const auto nth = values.begin() + static_cast<std::ptrdiff_t>(values.size() * percent / 100);
  std::nth_element(values.begin(), nth, values.end());
  return *nth;
}

void ask(const World& in, const Generator::Message& message, Decision& decision) {
  const MessageFacts facts{.client = &message.client,
                           .sasl_user = message.user,
                           .sender = &message.sender,
                           .recipients = {}};
  decide(*in.set, facts, Stage::kMail, TimePoint(std::chrono::seconds(1'800'000'000)), {},
         decision);
  benchmark::DoNotOptimize(decision);
}

void decide_latency(benchmark::State& state) {
  const World& in = world(static_cast<std::size_t>(state.range(0)));
  const double clock_ns = clock_cost();
  std::vector<double> calls;
  std::vector<double> best(in.messages.size(), 1e9);
  Decision decision;
  Generator::Message message = in.messages[0];
  std::size_t acted = 0;
  for (auto _ : state) {
    for (std::size_t i = 0; i < in.messages.size(); ++i) {
      message = in.messages[i];
      const auto start = std::chrono::steady_clock::now();
      ask(in, message, decision);
      calls.push_back(nanoseconds(std::chrono::steady_clock::now() - start) - clock_ns);
      best[i] = std::min(best[i], calls.back());
      acted += decision.rule || !decision.charges.empty() ? 1 : 0;
    }
  }
  static double first_p50 = 0;
  const double p50 = percentile(calls, 50);
  if (first_p50 == 0) first_p50 = p50;
  state.counters["p50_ns"] = p50;
  state.counters["p99_ns"] = percentile(calls, 99);
  state.counters["best_p50_ns"] = percentile(best, 50);
  state.counters["best_p99_ns"] = percentile(best, 99);
  state.counters["ratio"] = p50 / first_p50;
  state.counters["clock_ns"] = clock_ns;
  state.counters["acted_on"] = static_cast<double>(acted) / static_cast<double>(calls.size());
}

void memory_latency(benchmark::State& state) {
  std::vector<std::uint32_t> next(16 << 20);
  std::iota(next.begin(), next.end(), 0u);
  std::mt19937 random(20260101);
  for (std::size_t i = next.size() - 1; i > 0; --i)  // Sattolo: one cycle through all
    std::swap(next[i], next[random() % i]);
  std::uint32_t at = 0;
  for (auto _ : state) benchmark::DoNotOptimize(at = next[at]);
}

void build(benchmark::State& state) {
  const World& in = world(static_cast<std::size_t>(state.range(0)));
  for (auto _ : state) benchmark::DoNotOptimize(MitigationSet::build(in.source));
  state.SetItemsProcessed(state.iterations() * state.range(0));
  state.counters["bytes_a_rule"] =
      static_cast<double>(in.set->memory_bytes()) / static_cast<double>(state.range(0));
}

BENCHMARK(decide_latency)->Arg(1'000)->Arg(100'000)->Arg(1'000'000)->Iterations(10);
BENCHMARK(memory_latency)->Iterations(1'000'000);
BENCHMARK(build)->Arg(1'000)->Arg(100'000)->Arg(1'000'000)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace ipmit::policy

BENCHMARK_MAIN();
