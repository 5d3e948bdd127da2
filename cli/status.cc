// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <chrono>
#include <memory>
#include <optional>
#include <ostream>

#include <poll.h>

#include "cli/describe.h"
#include "cli/fleet.h"
#include "cli/text_table.h"
#include "cli/verbs.h"
#include "common/error.h"
#include "common/json_text.h"
#include "schema/leader_lock.h"
#include "schema/store.h"

namespace ipmit::cli {
namespace {

using common::JsonObjectText;

// A change needs a moment to arrive everywhere: only what is behind for longer is a problem.
constexpr Duration kSettle{2'000};
constexpr int kLookEveryMs = 50;

struct Status {
  bool embedded = false;
  std::optional<std::uint64_t> revision;  // of the store; unset: it did not answer
  std::string leader;
  std::optional<Fleet> fleet;         // unset: the cache did not answer
  std::vector<std::string> problems;  // empty: all is well
  bool unreachable = false;
};

bool is_postgres(const conf::Settings& settings) {
  return settings.store.starts_with("postgresql:");
}

// The revision is taken once, at the start: everybody should reach that one, however many come.
void look_at_store(Context& context, Status& status) {
  try {
    if (!context.store) context.store = schema::open_store(context.settings.store, status.embedded);
    if (!status.revision) status.revision = context.store->revision();
    if (status.embedded) return;
    status.leader = schema::lock_holder(context.settings.store, schema::kControllerLock);
    if (status.leader.empty()) status.problems.emplace_back("no controller leads");
  } catch (const std::runtime_error& error) {
    status.problems.push_back("store: " + std::string(error.what()));
    status.unreachable = true;
  }
}

void look_at_cache(Context& context, const schema::CacheHead& cache, Status& status) {
  if (cache.epoch.empty()) {
    status.problems.emplace_back("the cache holds no rules");
  } else if (status.revision && cache.record != context.store->epoch()) {
    status.problems.emplace_back(
        "the cache follows another history of the store, which failed over or was restored");
  } else if (!status.revision || cache.revision == *status.revision) {
    return;
  } else if (cache.revision < *status.revision) {
    status.problems.push_back("the cache is at revision " + std::to_string(cache.revision) + ", " +
                              std::to_string(*status.revision - cache.revision) +
                              " behind the store");
  } else if (cache.revision > context.store->revision()) {  // not just newer than our question
    status.problems.push_back("the cache is at revision " + std::to_string(cache.revision) +
                              ", ahead of the store: it was restored");
  }
}

void look_at_fleet(Context& context, const FleetView& view, Status& status) {
  try {
    status.fleet = view.look();
    if (!status.embedded) look_at_cache(context, status.fleet->cache, status);
  } catch (const std::runtime_error& error) {
    status.problems.push_back("cache: " + std::string(error.what()));
    status.unreachable = true;
    return;
  }
  const Fleet& fleet = *status.fleet;
  const std::uint64_t wanted = status.revision.value_or(fleet.cache.revision);
  if (fleet.milters.empty()) status.problems.emplace_back("no milter is alive");
  for (const schema::MilterSign& milter : fleet.milters) {
    if (const std::string why = why_behind(milter, fleet, wanted); !why.empty())
      status.problems.push_back("milter " + milter.id + " " + why);
    if (milter.skipped > 0)
      status.problems.push_back("milter " + milter.id + " cannot read " +
                                std::to_string(milter.skipped) + " entries");
  }
}

void look(Context& context, const FleetView& view, Status& status) {
  status.problems.clear();
  look_at_store(context, status);
  look_at_fleet(context, view, status);
}

std::string age_text(const std::string& confirmed, TimePoint now) {
  const auto time = common::parse_rfc3339(confirmed);
  return time ? rough_duration(std::max(now - *time, Duration(0))) + " ago" : "never";
}

std::string or_dash(const std::string& text) {
  return text.empty() ? "-" : text;
}

void print_text(Context& context, const Status& status) {
  TextTable heads;
  heads.add({"store", is_postgres(context.settings) ? "PostgreSQL" : "SQLite, of this host alone",
             status.revision ? "revision " + std::to_string(*status.revision) : "unreachable"});
  if (!status.embedded) {
    heads.add({"cache", "Redis",
               status.fleet ? "revision " + std::to_string(status.fleet->cache.revision) +
                                  ", epoch " + or_dash(status.fleet->cache.epoch)
                            : "unreachable"});
    heads.add({"leader", or_dash(status.leader)});
  }
  heads.print(context.out);
  if (status.fleet && !status.fleet->controllers.empty()) {
    TextTable table({"CONTROLLER", "STATE", "REVISION", "VERSION", "SINCE", "LAST ERROR"});
    for (const schema::ControllerSign& each : status.fleet->controllers)
      table.add({each.id, each.state, std::to_string(each.revision), each.version, each.since,
                 or_dash(printable(each.last_error))});
    context.out << '\n';
    table.print(context.out);
  }
  if (status.fleet && !status.fleet->milters.empty()) {
    TextTable table(
        {"MILTER", "STATE", "REVISION", "RULES", "CONFIRMED", "VERSION", "SINCE", "LAST ERROR"});
    for (const schema::MilterSign& each : status.fleet->milters)
      table.add({each.id, each.state, std::to_string(each.revision), std::to_string(each.rules),
                 age_text(each.confirmed, context.now()), or_dash(each.version),
                 or_dash(each.since), or_dash(printable(each.last_error))});
    context.out << '\n';
    table.print(context.out);
  }
  context.out << '\n';
  for (const std::string& problem : status.problems)
    context.out << "problem: " << printable(problem) << '\n';
  if (status.problems.empty()) context.out << "all milters enforce what the store says\n";
}

template <typename Sign, typename Fields>
std::string json_list(const std::vector<Sign>& signs, Fields fields) {
  std::string list = "[";
  for (const Sign& sign : signs) {
    list += list.size() > 1 ? ",\n  " : "\n  ";
    JsonObjectText object(list);
    object.text("id", sign.id);
    object.text("host", sign.host);
    object.text("version", sign.version);
    object.text("state", sign.state);
    object.number("revision", sign.revision);
    object.text("since", sign.since);
    object.text("lastError", sign.last_error);
    fields(object, sign);
    object.finish();
  }
  return list + "]";
}

void print_json(Context& context, const Status& status) {
  std::string out;
  JsonObjectText all(out);
  all.text("store", is_postgres(context.settings) ? "postgresql" : "sqlite");
  if (status.revision) all.number("revision", *status.revision);
  all.text("leader", status.leader);
  if (status.fleet) {
    const Fleet& fleet = *status.fleet;
    const std::uint64_t wanted = status.revision.value_or(fleet.cache.revision);
    if (!fleet.embedded) {
      std::string cache;
      JsonObjectText object(cache);
      object.text("epoch", fleet.cache.epoch);
      object.number("revision", fleet.cache.revision);
      object.finish();
      all.raw("cache", cache);
      all.raw("controllers",
              json_list(fleet.controllers, [](JsonObjectText&, const schema::ControllerSign&) {}));
    }
    all.raw("milters", json_list(fleet.milters, [&](JsonObjectText& object, const auto& sign) {
              object.text("epoch", sign.epoch);
              object.number("rules", sign.rules);
              object.number("skipped", sign.skipped);
              object.text("confirmed", sign.confirmed);
              object.boolean("inStep", why_behind(sign, fleet, wanted).empty());
            }));
  }
  std::string problems = "[";
  for (const std::string& problem : status.problems) {
    if (problems.size() > 1) problems += ',';
    common::append_json_string(problems, problem);
  }
  all.raw("problems", problems + "]");
  all.finish();
  context.out << out << '\n';
}

ExitCode run_status(Context& context) {
  const auto view = FleetView::open(context.settings);
  if (!view) return context.bad_input("status: " + view.problem());
  const auto end = std::chrono::steady_clock::now() + kSettle;
  Status status;
  status.embedded = !is_postgres(context.settings);
  look(context, *view, status);
  while (!status.problems.empty() && !status.unreachable &&
         std::chrono::steady_clock::now() < end) {
    poll(nullptr, 0, kLookEveryMs);
    look(context, *view, status);
  }
  if (context.json())
    print_json(context, status);
  else
    print_text(context, status);
  if (status.unreachable) return kEnvironment;
  return status.problems.empty() ? kOk : kFailed;
}

}  // namespace

Run declare_status(VerbParser&) {
  return [](Context& context) { return run_status(context); };
}

}  // namespace ipmit::cli
