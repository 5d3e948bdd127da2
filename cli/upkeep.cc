// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <map>
#include <ostream>

#include "cli/target_match.h"
#include "cli/text_table.h"
#include "cli/verbs.h"
#include "schema/record.h"

namespace ipmit::cli {
namespace {

constexpr std::size_t kAtOnce = 1'000;  // so that no other program waits for long

using Removed = std::map<std::string, std::uint64_t>;

Removed trim(Context& context, TimePoint now) {
  const conf::RetentionSettings& keep = context.settings.retention;
  const schema::RetentionSpans spans{keep.statistics, keep.findings, keep.audit,
                                     keep.dead_recipients};
  const auto record = schema::open_record(context.settings.store, false);
  Removed removed;
  for (bool more = true; more;) {
    more = false;
    for (const auto& one : record->apply_retention(spans, now, kAtOnce)) {
      removed[one.what] += one.rows;
      more = more || one.rows >= kAtOnce;
    }
  }
  return removed;
}

ExitCode run_upkeep(Context& context) {
  const TimePoint now = context.now();
  Removed removed;
  for (std::size_t ended = kAtOnce; ended == kAtOnce;)
    removed["ended rules"] += ended = context.store->expire(now, kAtOnce);
  removed.merge(trim(context, now));
  if (context.json()) {
    std::string line;
    for (const auto& [what, rows] : removed)
      line += (line.empty() ? "{" : ",") + json_string(what) + ":" + std::to_string(rows);
    context.out << line << "}\n";
    return kOk;
  }
  TextTable table({"REMOVED", "FROM"});
  for (const auto& [what, rows] : removed) table.add({std::to_string(rows), what});
  table.print(context.out);
  return kOk;
}

}  // namespace

Run declare_upkeep(VerbParser& parser) {
  parser.examples("  ipmitctl upkeep      (daily, on a single host)\n");
  return run_upkeep;
}

}  // namespace ipmit::cli
