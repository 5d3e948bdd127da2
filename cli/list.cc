// SPDX-License-Identifier: Apache-2.0
#include <map>
#include <memory>
#include <ostream>

#include "cli/describe.h"
#include "cli/text_table.h"
#include "cli/verbs.h"
#include "schema/mitigation_json.h"

namespace ipmit::cli {
namespace {

struct ListOptions {
  std::string prefix, target, action, origin;
  std::int64_t most = 1000;
};

common::Result<schema::Store::Filter> to_filter(const ListOptions& options) {
  schema::Store::Filter filter;
  filter.name_prefix = options.prefix;
  filter.most = static_cast<std::size_t>(options.most);
  if (!options.target.empty()) {
    auto target = policy::Target::parse(options.target);
    if (!target) return common::Problem{"--target: " + target.problem()};
    filter.target = *std::move(target);
  }
  if (!options.action.empty()) {
    filter.action = policy::parse_action(options.action);
    if (!filter.action) return common::Problem{"--action: no action \"" + options.action + "\""};
  }
  if (!options.origin.empty()) {
    filter.origin = policy::parse_origin(options.origin);
    if (!filter.origin)
      return common::Problem{"--origin: wants manual, detector, database or feed, has \"" +
                             options.origin + "\""};
  }
  return filter;
}

void print_json(std::ostream& out, const std::vector<policy::Mitigation>& mitigations) {
  out << "[";
  for (std::size_t i = 0; i < mitigations.size(); ++i)
    out << (i == 0 ? "\n" : ",\n") << schema::to_json(mitigations[i]);
  out << (mitigations.empty() ? "]\n" : "\n]\n");
}

void print_table(Context& context, const std::vector<policy::Mitigation>& mitigations) {
  std::vector<std::string> names;
  names.reserve(mitigations.size());
  for (const policy::Mitigation& mitigation : mitigations) names.push_back(mitigation.name);
  std::map<std::string, std::uint64_t> hits;
  for (const schema::Store::Hit& hit : context.store->hits(names)) hits[hit.name] = hit.count;

  TextTable table({"NAME", "ACTION", "TARGETS", "SCOPE", "ENDS", "HITS", "REASON"});
  for (const policy::Mitigation& mitigation : mitigations) {
    const std::string scope = describe_scope(mitigation.scope);
    table.add({mitigation.name, describe_action(mitigation),
               describe_targets(mitigation.targets, 2), scope.empty() ? "-" : scope,
               describe_end(mitigation.ends, context.now()), std::to_string(hits[mitigation.name]),
               mitigation.reason});
  }
  table.print(context.out);
}

ExitCode run_list(Context& context, const ListOptions& options) {
  const auto filter = to_filter(options);
  if (!filter) return context.bad_input("list: " + filter.problem());
  const auto mitigations = context.store->list(*filter);
  if (context.json())
    print_json(context.out, mitigations);
  else if (mitigations.empty())
    context.out << "no mitigations; ipmitctl add makes one\n";
  else
    print_table(context, mitigations);
  if (mitigations.size() == filter->most)
    context.warn("only the first " + std::to_string(filter->most) + " are shown; see --most");
  return kOk;
}

}  // namespace

Run declare_list(VerbParser& parser) {
  auto o = std::make_shared<ListOptions>();
  parser.option("--prefix", o->prefix, "Only names that begin so");
  parser.option("-t,--target", o->target, "Only those that name this target or contain it");
  parser.option("-a,--action", o->action, "Only this action");
  parser.option("--origin", o->origin, "Only manual, detector, database or feed");
  parser.number("--most", o->most, 1, 1'000'000, "Show at most so many");
  return [o](Context& context) { return run_list(context, *o); };
}

}  // namespace ipmit::cli
