// SPDX-License-Identifier: Apache-2.0
#include "cli/wait.h"

#include <chrono>
#include <ostream>
#include <utility>
#include <vector>

#include <poll.h>

#include "common/error.h"
#include "common/json_text.h"

namespace ipmit::cli {
namespace {

using SteadyClock = std::chrono::steady_clock;

constexpr const char* kDefaultPatience = "30s";
constexpr int kLookEveryMs = 25;

struct Look {
  std::size_t alive = 0;
  std::vector<std::string> behind;  // "mx1.example.com/812 has …"
  bool ok() const { return alive > 0 && behind.empty(); }
};

// The change to wait for, and who counted its revision.
struct Wanted {
  std::uint64_t revision = 0;
  std::string epoch;
};

Look look(const FleetView& view, const Wanted& wanted) {
  Look result;
  try {
    const Fleet fleet = view.look();
    result.alive = fleet.milters.size();
    // After a failover the revisions in Redis may be those of changes that were lost.
    if (!fleet.embedded && fleet.cache.record != wanted.epoch)
      result.behind.emplace_back("Redis does not follow this PostgreSQL server yet");
    for (const schema::MilterSign& milter : fleet.milters)
      if (const std::string why = why_behind(milter, fleet, wanted.revision); !why.empty())
        result.behind.push_back(milter.id + " " + why);
    if (fleet.milters.empty()) result.behind.emplace_back("no milter is alive");
  } catch (const common::TransientError& error) {
    result.behind.emplace_back(error.what());
  }
  return result;
}

void print_json(Context& context, const Look& seen, std::uint64_t revision) {
  std::string list = "[";
  for (const std::string& each : seen.behind) {
    if (list.size() > 1) list += ',';
    common::append_json_string(list, each);
  }
  std::string line;
  common::JsonObjectText object(line);
  object.boolean("enforced", seen.ok());
  object.number("revision", revision);
  object.number("milters", seen.alive);
  object.raw("behind", list + "]");
  object.finish();
  context.out << line << '\n';
}

std::string seconds_text(SteadyClock::duration took) {
  const auto ms = std::chrono::duration_cast<Duration>(took).count();
  return std::to_string(ms / 1'000) + "." + std::to_string(ms % 1'000 / 100) + " s";
}

}  // namespace

void Wait::declare(VerbParser& parser, std::string& text) {
  parser.optional_value("--wait", text, kDefaultPatience,
                        "Return when every live milter enforces it");
}

common::Result<Wait> Wait::prepare(const Context& context, const std::string& text) {
  Wait wait;
  if (text.empty()) return wait;
  const auto patience = common::parse_duration(text);
  if (!patience || *patience <= Duration(0))
    return common::Problem{"--wait: wants a duration such as 10s, has \"" + text + "\""};
  auto view = FleetView::open(context.settings);
  if (!view) return common::Problem{"--wait: " + view.problem()};
  wait.view_ = *std::move(view);
  wait.patience_ = *patience;
  return wait;
}

ExitCode Wait::finish(Context& context) const {
  if (!view_) return kOk;
  const std::uint64_t revision = context.store->revision();
  const Wanted wanted{revision, context.store->epoch()};
  const auto begin = SteadyClock::now();
  Look seen = look(*view_, wanted);
  while (!seen.ok() && SteadyClock::now() - begin < patience_) {
    poll(nullptr, 0, kLookEveryMs);
    seen = look(*view_, wanted);
  }
  const auto took = SteadyClock::now() - begin;
  if (context.json()) print_json(context, seen, revision);
  if (seen.ok()) {
    if (!context.json())
      context.out << (seen.alive == 1 ? "1 milter enforces"
                                      : std::to_string(seen.alive) + " milters enforce")
                  << " revision " << revision << " after " << seconds_text(took) << '\n';
    return kOk;
  }
  std::string names;
  for (const std::string& each : seen.behind) names += "\n  " + each;
  return context.failed("stored, but not enforced everywhere after " + seconds_text(took) + ":" +
                        names);
}

}  // namespace ipmit::cli
