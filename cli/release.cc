// SPDX-License-Identifier: Apache-2.0
#include <memory>
#include <ostream>

#include "cli/add_options.h"
#include "cli/verbs.h"
#include "cli/wait.h"
#include "common/json_text.h"

namespace ipmit::cli {
namespace {

struct ReleaseOptions {
  std::vector<std::string> names;
  std::string hold_off, reason, wait;
};

ExitCode run_release(Context& context, const ReleaseOptions& options) {
  if (const auto problem = check_reason(options.reason)) return context.bad_input(problem->reason);
  const auto hold_off = options.hold_off.empty() ? std::optional(Duration(0))
                                                 : common::parse_duration(options.hold_off);
  if (!hold_off)
    return context.bad_input("release: --hold-off: wants a duration such as 1h, has \"" +
                             options.hold_off + "\"");
  const auto wait = Wait::prepare(context, options.wait);
  if (!wait) return context.bad_input("release: " + wait.problem());
  ExitCode code = kOk;
  for (const std::string& name : options.names) {
    if (!context.store->release(name, *hold_off, context.note(options.reason), context.now())) {
      code = context.failed("no mitigation \"" + name + "\"; see ipmitctl list");
      continue;
    }
    if (context.json()) {
      std::string line;
      common::JsonObjectText object(line);
      object.text("released", name);
      if (*hold_off > Duration(0))
        object.text("heldOffUntil", common::to_rfc3339(context.now() + *hold_off));
      object.finish();
      context.out << line << '\n';
      continue;
    }
    context.out << "released " << name;
    if (*hold_off > Duration(0))
      context.out << "; its targets are safe from automatic mitigations until "
                  << common::to_short_utc(context.now() + *hold_off);
    context.out << '\n';
  }
  return code == kOk ? wait->finish(context) : code;
}

}  // namespace

Run declare_release(VerbParser& parser) {
  auto o = std::make_shared<ReleaseOptions>();
  parser.positional("NAME", o->names, "Mitigations to end now", Need::kRequired);
  parser.option("-r,--reason", o->reason, "Why, for the audit", Need::kRequired);
  parser.option("--hold-off", o->hold_off,
                "Keep automatic mitigations off the same targets for so long, such as 1h");
  Wait::declare(parser, o->wait);
  return [o](Context& context) { return run_release(context, *o); };
}

}  // namespace ipmit::cli
