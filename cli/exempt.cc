// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <memory>
#include <ostream>

#include "cli/add_options.h"
#include "cli/describe.h"
#include "cli/target_match.h"
#include "cli/text_table.h"
#include "cli/verbs.h"
#include "cli/wait.h"
#include "common/json_text.h"
#include "schema/mitigation_json.h"

namespace ipmit::cli {
namespace {

using policy::Exemption;
using policy::Mitigation;
using policy::Target;

struct ExemptOptions {
  std::string target, reason, duration, wait;
};

// Automatic mitigations that the exemption covers wholly lose their point, so they are released;
// those of a person are left to that person.
void retract_covered(Context& context, const Exemption& exemption) {
  schema::Store::Filter filter;
  for (;;) {
    const auto page = context.store->list(filter);
    for (const Mitigation& mitigation : page) {
      const bool covered =
          std::all_of(mitigation.targets.begin(), mitigation.targets.end(),
                      [&](const Target& each) { return contains(exemption.target, each); });
      if (!covered) continue;
      if (mitigation.origin == policy::Origin::kManual) {
        context.warn(mitigation.name + " has no effect any more; end it with: ipmitctl release " +
                     mitigation.name + " --reason TEXT");
      } else if (context.store->release(mitigation.name, Duration(0),
                                        context.note("exempt: " + exemption.reason),
                                        context.now()) &&
                 !context.json()) {
        context.out << "released " << mitigation.name << ", which it covers\n";
      }
    }
    if (page.size() < filter.most) return;
    filter.after = page.back().name;
  }
}

ExitCode run_exempt_add(Context& context, const ExemptOptions& options) {
  if (const auto problem = check_reason(options.reason)) return context.bad_input(problem->reason);
  auto target = Target::parse(options.target);
  if (!target) return context.bad_input("exempt add: " + target.problem());
  Exemption exemption{*std::move(target), options.reason, std::nullopt, 0};
  if (!options.duration.empty()) {
    const auto life = common::parse_duration(options.duration);
    if (!life || *life <= Duration(0))
      return context.bad_input("exempt add: --for: wants a duration such as 2h, has \"" +
                               options.duration + "\"");
    exemption.ends = context.now() + *life;
  }
  const auto wait = Wait::prepare(context, options.wait);
  if (!wait) return context.bad_input("exempt add: " + wait.problem());
  const auto result =
      context.store->put_exemption(exemption, context.note(options.reason), context.now());
  if (context.json()) {
    context.out << R"({"result":")"
                << (result == schema::PutResult::kUnchanged ? "unchanged" : "exempt")
                << R"(","exemption":)" << schema::to_json(exemption) << "}\n";
  } else {
    context.out << exemption.target.to_string() << " is exempt "
                << (exemption.ends ? "until " + describe_end(exemption.ends, context.now())
                                   : std::string("until removed"))
                << "\nundo with: ipmitctl exempt remove " << exemption.target.to_string()
                << " --reason TEXT\n";
  }
  retract_covered(context, exemption);
  return wait->finish(context);
}

ExitCode run_exempt_remove(Context& context, const ExemptOptions& options) {
  if (const auto problem = check_reason(options.reason)) return context.bad_input(problem->reason);
  const auto target = Target::parse(options.target);
  if (!target) return context.bad_input("exempt remove: " + target.problem());
  const auto wait = Wait::prepare(context, options.wait);
  if (!wait) return context.bad_input("exempt remove: " + wait.problem());
  if (!context.store->remove_exemption(*target, context.note(options.reason), context.now()))
    return context.failed("no exemption of " + target->to_string() + "; see ipmitctl exempt list");
  if (context.json())
    context.out << R"({"removed":)" << json_string(target->to_string()) << "}\n";
  else
    context.out << target->to_string() << " is no longer exempt\n";
  return wait->finish(context);
}

ExitCode run_exempt_list(Context& context) {
  const auto exemptions = context.store->exemptions();
  if (context.json()) {
    context.out << '[';
    for (std::size_t i = 0; i < exemptions.size(); ++i)
      context.out << (i == 0 ? "\n" : ",\n") << schema::to_json(exemptions[i]);
    context.out << (exemptions.empty() ? "]\n" : "\n]\n");
    return kOk;
  }
  if (exemptions.empty()) {
    context.out << "no exemptions; ipmitctl exempt add makes one\n";
    return kOk;
  }
  TextTable table({"TARGET", "ENDS", "REASON"});
  for (const Exemption& each : exemptions)
    table.add({each.target.to_string(),
               each.ends ? describe_end(each.ends, context.now()) : "until removed", each.reason});
  table.print(context.out);
  return kOk;
}

void declare_target_and_reason(VerbParser& parser, ExemptOptions& options) {
  parser.positional("TARGET", options.target, "Address, range, domain:NAME or user:NAME",
                    Need::kRequired);
  parser.option("-r,--reason", options.reason, "Why, for the audit", Need::kRequired);
  Wait::declare(parser, options.wait);
}

}  // namespace

Run declare_exempt_add(VerbParser& parser) {
  auto o = std::make_shared<ExemptOptions>();
  declare_target_and_reason(parser, *o);
  parser.option("--for", o->duration, "How long, such as 2h (default: until removed)");
  return [o](Context& context) { return run_exempt_add(context, *o); };
}

Run declare_exempt_remove(VerbParser& parser) {
  auto o = std::make_shared<ExemptOptions>();
  declare_target_and_reason(parser, *o);
  return [o](Context& context) { return run_exempt_remove(context, *o); };
}

Run declare_exempt_list(VerbParser&) {
  return [](Context& context) { return run_exempt_list(context); };
}

}  // namespace ipmit::cli
