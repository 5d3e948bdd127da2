// SPDX-License-Identifier: Apache-2.0
// The stores: reading all rules at start, how soon a change is seen, what a change costs.
// Targets: a million rules from SQLite in 10 s; a change seen within 1 s.
#include <algorithm>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <benchmark/benchmark.h>

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

}  // namespace
}  // namespace ipmit

BENCHMARK_MAIN();
