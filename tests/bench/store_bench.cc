// SPDX-License-Identifier: Apache-2.0
// The stores: reading all rules at start, how soon a change is seen, what a change costs.
// Targets: a million rules from SQLite in 10 s; a change seen within 1 s; thousands of delivery
// events a second learned.
#include <algorithm>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <benchmark/benchmark.h>

#include "schema/record.h"
#include "schema/sqlite_connection.h"
#include "schema/store.h"
#include "tests/support/process.h"
#include "tests/support/temp_postgres.h"

namespace ipmit {
namespace {

using common::Duration;
using schema::PutMode;
using Steady = std::chrono::steady_clock;

policy::Mitigation make_rule(const std::string& name) {
  policy::Mitigation rule;
  rule.name = name;
  rule.targets = {policy::Target::parse("192.0.2.1").value()};
  rule.action = policy::Action::kDefer;
  rule.reason = "bench";
  return rule;
}

// `rules` rules, a third each for IPv4, IPv6 and domains, written by SQL: by put() it takes
// minutes.
void fill_sqlite(const std::string& path, std::int64_t rules) {
  schema::SqliteConnection(path).execute(
      "PRAGMA synchronous = OFF; BEGIN; WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 "
      "FROM n WHERE i < " +
      std::to_string(rules) +
      ") INSERT INTO mitigations (name, origin, action, reason, ends_ms, revision) SELECT "
      "printf('det-%08d', i), 'Detector', 'Defer', 'too many bounces in the last hour', "
      "1800000000000, i FROM n; INSERT INTO targets SELECT id, CASE id % 3 "
      "WHEN 0 THEN printf('domain:d%d.example.com', id) "
      "WHEN 1 THEN printf('2001:db8:%x:%x::/64', id >> 16, (id & 65535) | 1) "
      "ELSE printf('10.%d.%d.%d', id >> 16 & 255, id >> 8 & 255, id & 255) END FROM mitigations; "
      "UPDATE state SET revision = " +
      std::to_string(rules) + "; COMMIT;");
}

void load_sqlite(benchmark::State& state) {
  const test::TempDir directory("bench");
  const std::string path = (directory / "ipmit.db").string();
  const auto store = schema::open_store("sqlite:" + path, true);
  fill_sqlite(path, state.range(0));
  for (auto _ : state) {
    const auto loaded = store->load();
    if (static_cast<std::int64_t>(loaded.set.mitigations.size()) != state.range(0))
      return state.SkipWithError("not all rules were read");
  }
  state.SetItemsProcessed(state.iterations() * state.range(0));
}
BENCHMARK(load_sqlite)
    ->Arg(1'000)
    ->Arg(100'000)
    ->Arg(1'000'000)
    ->Unit(benchmark::kMillisecond)
    ->UseRealTime();

// One store changes a rule, another waits: the time from the commit to the end of the wait.
void see_change(benchmark::State& state, const std::string& url) {
  const auto writer = schema::open_store(url, true);
  const auto reader = schema::open_store(url, false);
  policy::Mitigation rule = make_rule("m");
  int number = 0;
  std::vector<double> seconds;
  reader->load();
  reader->wait_for_change(Duration(0), {});
  for (auto _ : state) {
    Steady::time_point committed, seen;
    std::jthread waiting([&] {
      reader->wait_for_change(Duration(10'000), {});
      seen = Steady::now();
    });
    rule.reason = "change " + std::to_string(++number);
    writer->put(rule, PutMode::kAddOrReplace, {"bench", "bench"}, common::now());
    committed = Steady::now();
    waiting.join();
    reader->load();
    seconds.push_back(std::max(0.0, std::chrono::duration<double>(seen - committed).count()));
    state.SetIterationTime(seconds.back());
  }
  std::sort(seconds.begin(), seconds.end());
  state.counters["p99_ms"] = 1000 * seconds[seconds.size() * 99 / 100];
}
void see_change_sqlite(benchmark::State& state) {
  const test::TempDir directory("bench");
  see_change(state, "sqlite:" + (directory / "ipmit.db").string());
}
BENCHMARK(see_change_sqlite)->Unit(benchmark::kMillisecond)->UseManualTime()->Iterations(100);

void put_rules(benchmark::State& state, const std::string& url) {
  const auto store = schema::open_store(url, true);
  int number = 0;
  for (auto _ : state) {
    policy::Mitigation rule = make_rule("m" + std::to_string(++number));
    store->put(rule, PutMode::kAddOnly, {"bench", "bench"}, common::now());
  }
  state.SetItemsProcessed(state.iterations());
}
void put_sqlite(benchmark::State& state) {
  const test::TempDir directory("bench");
  put_rules(state, "sqlite:" + (directory / "ipmit.db").string());
}
BENCHMARK(put_sqlite)->Unit(benchmark::kMillisecond)->UseRealTime();

// Both with PostgreSQL, where there is one.
void with_postgres(benchmark::State& state,
                   void (*measure)(benchmark::State&, const std::string&)) {
  if (!test::TempPostgres::missing().empty())
    return state.SkipWithError(test::TempPostgres::missing().c_str());
  test::TempPostgres server;
  measure(state, server.url(server.create_database()));
}
void see_change_postgres(benchmark::State& state) {
  with_postgres(state, see_change);
}
BENCHMARK(see_change_postgres)->Unit(benchmark::kMillisecond)->UseManualTime()->Iterations(100);
void put_postgres(benchmark::State& state) {
  with_postgres(state, put_rules);
}
BENCHMARK(put_postgres)->Unit(benchmark::kMillisecond)->UseRealTime()->Iterations(200);

// The detector's writes: batches of 1 000 delivery events, counted for address, user and domain; a
// tenth of them bounces of dead recipients. Target: thousands of events a second.
void learn(benchmark::State& state, const std::string& url) {
  constexpr int kEvents = 1'000;
  const auto record = schema::open_record(url, true);
  const auto now = common::now();
  const auto today = std::chrono::floor<std::chrono::days>(now);
  int number = 0;
  for (auto _ : state) {
    std::vector<schema::DeliveryCount> counts;
    std::vector<schema::Fingerprints::Bounce> bounces;
    for (int i = 0; i < kEvents; ++i) {
      const std::string at = std::to_string((number * 37 + i) % 5'000);
      for (const char* kind : {"2001:db8::", "user:u", "domain:d"})
        counts.push_back({today, kind + at, i % 10 == 0 ? "user_unknown" : "delivered", 1});
      if (i % 10 != 0) continue;
      std::string hash = "fingerprint-" + at;
      hash.resize(22, 'x');
      bounces.push_back({{{1, hash}}, now + Duration(number)});
    }
    record->add("batch " + std::to_string(++number), counts, now);
    record->note_bounces(bounces);
  }
  state.SetItemsProcessed(state.iterations() * kEvents);
}
void learn_sqlite(benchmark::State& state) {
  const test::TempDir directory("bench");
  learn(state, "sqlite:" + (directory / "ipmit.db").string());
}
BENCHMARK(learn_sqlite)->Unit(benchmark::kMillisecond)->UseRealTime()->Iterations(50);
void learn_postgres(benchmark::State& state) {
  with_postgres(state, learn);
}
BENCHMARK(learn_postgres)->Unit(benchmark::kMillisecond)->UseRealTime()->Iterations(50);

// Findings of 20 lines of evidence each, ten at once.
void find(benchmark::State& state, const std::string& url) {
  const auto record = schema::open_record(url, true);
  const auto now = common::now();
  int number = 0;
  for (auto _ : state) {
    std::vector<schema::Findings::Found> found(10);
    for (auto& one : found) {
      const std::string id = std::to_string(++number);
      one.finding = {id, now, "192.0.2.1", "bench", 20, now, now, "37 of 50 recipients unknown",
                     ""};
      for (int i = 0; i < 20; ++i)
        one.evidence.push_back({std::to_string(i), now, schema::Evidence::Kind::kDelivery,
                                "to=<someone@example.com>, status=bounced (550 5.1.1 unknown)"});
    }
    record->put(found);
  }
  state.SetItemsProcessed(state.iterations() * 10);
}
void find_sqlite(benchmark::State& state) {
  const test::TempDir directory("bench");
  find(state, "sqlite:" + (directory / "ipmit.db").string());
}
BENCHMARK(find_sqlite)->Unit(benchmark::kMillisecond)->UseRealTime()->Iterations(50);
void find_postgres(benchmark::State& state) {
  with_postgres(state, find);
}
BENCHMARK(find_postgres)->Unit(benchmark::kMillisecond)->UseRealTime()->Iterations(50);

}  // namespace
}  // namespace ipmit

BENCHMARK_MAIN();
