// SPDX-License-Identifier: Apache-2.0
#include <memory>
#include <ostream>

#include "cli/audit_text.h"
#include "cli/describe.h"
#include "cli/verbs.h"
#include "schema/mitigation_json.h"

namespace ipmit::cli {
namespace {

constexpr std::size_t kMostAudit = 20;

ExitCode run_show(Context& context, const std::string& name) {
  const auto mitigation = context.store->find(name);
  if (!mitigation)
    return context.failed("no mitigation \"" + name + "\"; see ipmitctl list, or ipmitctl audit " +
                          name + " for a past one");
  const auto hits = context.store->hits({name});
  const std::uint64_t count = hits.empty() ? 0 : hits.front().count;
  if (context.json()) {
    context.out << R"({"mitigation":)" << schema::to_json(*mitigation) << R"(,"hits":)" << count;
    if (count != 0)
      context.out << R"(,"lastHit":")" << common::to_rfc3339(hits.front().last) << '"';
    context.out << R"(,"audit":)" << audit_json(context.store->audit(name, kMostAudit)) << "}\n";
    return kOk;
  }
  context.out << name << '\n';
  print_mitigation(context.out, *mitigation, context.now());
  context.out << "  hits      " << count;
  if (count != 0) context.out << ", last " << common::to_rfc3339(hits.front().last);
  context.out << "\naudit, newest first\n";
  print_audit(context.out, context.store->audit(name, kMostAudit), "  ");
  return kOk;
}

}  // namespace

Run declare_show(VerbParser& parser) {
  auto name = std::make_shared<std::string>();
  parser.positional("NAME", *name, "Name of a mitigation", Need::kRequired);
  return [name](Context& context) { return run_show(context, *name); };
}

}  // namespace ipmit::cli
