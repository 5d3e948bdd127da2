// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <map>
#include <memory>
#include <ostream>

#include "cli/audit_text.h"
#include "cli/describe.h"
#include "cli/target_match.h"
#include "cli/text_table.h"
#include "cli/verbs.h"
#include "common/json_text.h"
#include "schema/mitigation_json.h"

namespace ipmit::cli {
namespace {

using policy::Exemption;
using policy::Mitigation;
using policy::Target;

constexpr std::size_t kAuditSearched = 10'000;
constexpr std::size_t kAuditShown = 20;

// All there is to say about one target.
struct Explanation {
  std::vector<Exemption> exemptions;    // that cover it, in force
  std::vector<Mitigation> mitigations;  // in the order in which decide() would look at them
  std::map<std::string, schema::Store::Hit> hits;
  std::vector<schema::AuditRow> audit;  // newest first
};

// By higher priority, stricter action, name: policy/decide.h.
bool comes_first(const Mitigation& a, const Mitigation& b) {
  if (a.priority != b.priority) return a.priority > b.priority;
  if (a.action != b.action) return a.action > b.action;
  return a.name < b.name;
}

std::string matched_target(const Mitigation& mitigation, const Target& asked) {
  for (const Target& target : mitigation.targets)
    if (contains(target, asked)) return target.to_string();
  return "";
}

std::vector<schema::AuditRow> find_audit(schema::Store& store, const Target& target,
                                         const std::vector<Mitigation>& mitigations) {
  const std::string text = target.to_string();
  const std::string in_json = json_string(text);
  std::vector<schema::AuditRow> found;
  for (schema::AuditRow& row : store.audit("", kAuditSearched)) {
    const bool named =
        row.subject == text || row.before.find(in_json) != std::string::npos ||
        row.after.find(in_json) != std::string::npos ||
        std::any_of(mitigations.begin(), mitigations.end(),
                    [&](const Mitigation& each) { return each.name == row.subject; });
    if (!named) continue;
    found.push_back(std::move(row));
    if (found.size() == kAuditShown) break;
  }
  return found;
}

Explanation explain(schema::Store& store, const Target& target, TimePoint now) {
  Explanation out;
  for (Exemption& exemption : store.exemptions())
    if (contains(exemption.target, target) && (!exemption.ends || now < *exemption.ends))
      out.exemptions.push_back(std::move(exemption));
  schema::Store::Filter filter;
  filter.target = target;
  out.mitigations = store.list(filter);
  std::sort(out.mitigations.begin(), out.mitigations.end(), comes_first);
  std::vector<std::string> names;
  for (const Mitigation& mitigation : out.mitigations) names.push_back(mitigation.name);
  for (schema::Store::Hit& hit : store.hits(names)) {
    const std::string name = hit.name;
    out.hits[name] = std::move(hit);
  }
  out.audit = find_audit(store, target, out.mitigations);
  return out;
}

// Why a mitigation that matches does nothing now; empty: it acts.
std::string why_idle(const Mitigation& mitigation, const Explanation& all, TimePoint now) {
  if (!all.exemptions.empty()) return "the target is exempt";
  if (mitigation.ends && *mitigation.ends <= now) return "it is over";
  if (mitigation.starts && now < *mitigation.starts)
    return "it starts " + common::to_short_utc(*mitigation.starts);
  if (mitigation.mode == policy::Mode::kDryRun) return "DryRun: it only counts";
  if (mitigation.action == policy::Action::kObserve) return "Observe: it only counts";
  return "";
}

void print_json(Context& context, const Target& target, const Explanation& all) {
  std::string text;
  common::JsonObjectText object(text);
  object.text("target", target.to_string());
  std::string list = "[";
  for (const Exemption& exemption : all.exemptions)
    list += (list.size() > 1 ? "," : "") + schema::to_json(exemption);
  object.raw("exemptions", list + "]");
  list = "[";
  for (const Mitigation& mitigation : all.mitigations) {
    if (list.size() > 1) list += ",";
    common::JsonObjectText entry(list);
    entry.text("matched", matched_target(mitigation, target));
    entry.text("idle", why_idle(mitigation, all, context.now()));
    const auto hit = all.hits.find(mitigation.name);
    entry.number("hits", hit == all.hits.end() ? 0 : hit->second.count);
    entry.raw("mitigation", schema::to_json(mitigation));
    entry.finish();
  }
  object.raw("mitigations", list + "]");
  object.raw("audit", audit_json(all.audit));
  object.finish();
  context.out << text << '\n';
}

void print_one(Context& context, const Target& target, const Explanation& all,
               const Mitigation& mitigation) {
  const TimePoint now = context.now();
  const std::string idle = why_idle(mitigation, all, now);
  context.out << mitigation.name << (idle.empty() ? " acts" : " does not act: " + idle) << '\n';
  TextTable table;
  table.add({"because", "it names " + matched_target(mitigation, target)});
  table.add({"action", describe_action(mitigation)});
  const std::string scope = describe_scope(mitigation.scope);
  if (!scope.empty()) table.add({"only for", scope});
  if (mitigation.priority != 0) table.add({"priority", std::to_string(mitigation.priority)});
  table.add({"ends", describe_end(mitigation.ends, now)});
  table.add({"reason", mitigation.reason});
  const auto hit = all.hits.find(mitigation.name);
  table.add({"hits", hit == all.hits.end() || hit->second.count == 0
                         ? "0"
                         : std::to_string(hit->second.count) + ", last " +
                               common::to_rfc3339(hit->second.last)});
  table.print(context.out, "  ");
}

void print_text(Context& context, const Target& target, const Explanation& all) {
  const std::string text = target.to_string();
  for (const Exemption& exemption : all.exemptions)
    context.out << text << " is exempt by " << exemption.target.to_string() << " "
                << (exemption.ends ? "until " + describe_end(exemption.ends, context.now())
                                   : std::string("until removed"))
                << ": " << printable(exemption.reason) << '\n';
  if (all.mitigations.empty()) context.out << "no mitigation matches " << text << '\n';
  for (const Mitigation& mitigation : all.mitigations) print_one(context, target, all, mitigation);
  if (all.mitigations.size() > 1)
    context.out << "the first in this list that acts decides; all throttles are charged\n";
  if (all.audit.empty()) return;
  context.out << "history, newest first\n";
  print_audit(context.out, all.audit, "  ");
}

ExitCode run_explain(Context& context, const std::string& text) {
  const auto target = Target::parse(text);
  if (!target) return context.bad_input("explain: " + target.problem());
  const Explanation all = explain(*context.store, *target, context.now());
  if (context.json())
    print_json(context, *target, all);
  else
    print_text(context, *target, all);
  return kOk;
}

}  // namespace

Run declare_explain(VerbParser& parser) {
  auto target = std::make_shared<std::string>();
  parser.positional("TARGET", *target, "Address, range, domain:NAME or user:NAME", Need::kRequired);
  return [target](Context& context) { return run_explain(context, *target); };
}

}  // namespace ipmit::cli
