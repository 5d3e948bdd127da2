// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <memory>
#include <ostream>

#include "cli/add_options.h"
#include "cli/describe.h"
#include "cli/records.h"
#include "cli/target_match.h"
#include "cli/verbs.h"
#include "cli/wait.h"
#include "schema/mitigation_json.h"

namespace ipmit::cli {
namespace {

using policy::Mitigation;
using schema::PutMode;
using schema::PutResult;

constexpr int kNameTries = 5;

// Loopback, too wide, or a transport nobody allowed; the sentence is the answer.
std::optional<common::Problem> refuse(const Context& context, const Mitigation& mitigation,
                                      bool force) {
  if (auto danger = find_danger(mitigation, force)) return danger;
  const auto& allowed = context.settings.milter.reroute_transports;
  if (mitigation.action == policy::Action::kReroute &&
      std::find(allowed.begin(), allowed.end(), mitigation.reroute_transport) == allowed.end())
    return common::Problem{"transport \"" + mitigation.reroute_transport +
                           "\" is not in milter.reroute_transports; add it there and to master.cf"};
  return std::nullopt;
}

void warn_of_exemptions(Context& context, const Mitigation& mitigation) {
  for (const policy::Exemption& exemption : context.store->exemptions()) {
    if (exemption.ends && *exemption.ends <= context.now()) continue;
    const bool touched = std::any_of(
        mitigation.targets.begin(), mitigation.targets.end(),
        [&](const policy::Target& target) { return overlaps(target, exemption.target); });
    if (touched)
      context.warn(exemption.target.to_string() + " is exempt and stays so (" + exemption.reason +
                   ")");
  }
}

// Client addresses that the milter does not take for senders.
void warn_of_networks(Context& context, const Mitigation& mitigation) {
  for (const policy::Target& target : mitigation.targets)
    for (const policy::IpPrefix& network : context.settings.milter.never_match_networks)
      if (target.prefix() != nullptr && network.contains(*target.prefix()))
        context.warn(target.to_string() + " lies in " + network.to_string() +
                     " of milter.never_match_networks and will never match");
}

void report(Context& context, const Mitigation& mitigation, PutResult result,
            bool life_is_default) {
  const char* word = result == PutResult::kAdded      ? "added"
                     : result == PutResult::kReplaced ? "replaced"
                                                      : "unchanged";
  if (context.json()) {
    context.out << R"({"result":")" << word << R"(","mitigation":)" << schema::to_json(mitigation)
                << "}\n";
    return;
  }
  context.out << word << " " << mitigation.name << "\n";
  print_mitigation(context.out, mitigation, context.now());
  if (life_is_default)
    context.out << "24h is the default life: choose with --for, --until or --forever\n";
  context.out << "end it with: ipmitctl release " << mitigation.name << " --reason TEXT\n";
}

PutResult put(Context& context, Mitigation& mitigation, const AddOptions& options) {
  const auto mode = options.replace ? PutMode::kAddOrReplace : PutMode::kAddOnly;
  const auto note = context.note(options.reason);
  if (!mitigation.name.empty()) return context.store->put(mitigation, mode, note, context.now());
  PutResult result = PutResult::kExists;
  for (int i = 0; i < kNameTries && result == PutResult::kExists; ++i) {
    mitigation.name = random_name();
    result = context.store->put(mitigation, PutMode::kAddOnly, note, context.now());
  }
  return result;
}

ExitCode store_one(Context& context, Mitigation mitigation, const AddOptions& options,
                   bool life_is_default) {
  const PutResult result = put(context, mitigation, options);
  switch (result) {
    case PutResult::kExists:
      return context.failed(mitigation.name + " exists already; see ipmitctl show " +
                            mitigation.name + ", or add --replace");
    case PutResult::kHeldOff:
      return context.failed(mitigation.name +
                            ": a target was released with a hold-off that has not ended; see "
                            "ipmitctl audit");
    case PutResult::kNotFound:
      return context.failed(mitigation.name + ": not found");
    case PutResult::kAdded:
    case PutResult::kReplaced:
    case PutResult::kUnchanged:
      break;
  }
  warn_of_exemptions(context, mitigation);
  warn_of_networks(context, mitigation);
  report(context, mitigation, result, life_is_default);
  return kOk;
}

// Everything is checked before anything is stored.
ExitCode add_file(Context& context, const AddOptions& options) {
  if (!options.targets.empty() || !options.action.empty())
    return context.bad_input("-f and --target or --action exclude one another");
  const auto text = read_whole(options.file, context.in);
  if (!text) return context.bad_input(text.problem());
  ReadRecords read = read_yaml_records(*text, options.file, options.reason);
  for (const Record& record : read.records) {
    const auto* mitigation = std::get_if<Mitigation>(&record);
    if (mitigation == nullptr)
      read.problems.push_back(options.file + ": an exemption; use ipmitctl import or exempt add");
    else if (const auto danger = refuse(context, *mitigation, options.force))
      read.problems.push_back(options.file + ": " + mitigation->name + ": " + danger->reason);
  }
  if (read.problems.empty() && read.records.empty())
    read.problems.push_back(options.file + ": no mitigation in it");
  for (const std::string& problem : read.problems) context.err << problem << '\n';
  if (!read.problems.empty()) return kBadInput;

  ExitCode code = kOk;
  for (Record& record : read.records)
    code = std::max(code, store_one(context, std::get<Mitigation>(record), options, false));
  return code;
}

ExitCode add_one(Context& context, const AddOptions& options) {
  auto mitigation = to_mitigation(options, context.now());
  if (!mitigation) return context.bad_input("add: " + mitigation.problem());
  if (const auto danger = refuse(context, *mitigation, options.force))
    return context.bad_input("add: " + danger->reason);
  const bool life_is_default =
      options.duration.empty() && options.until.empty() && !options.forever;
  return store_one(context, *std::move(mitigation), options, life_is_default);
}

ExitCode run_add(Context& context, const AddOptions& options) {
  if (const auto problem = check_reason(options.reason)) return context.bad_input(problem->reason);
  const auto wait = Wait::prepare(context, options.wait);
  if (!wait) return context.bad_input("add: " + wait.problem());
  const ExitCode code =
      options.file.empty() ? add_one(context, options) : add_file(context, options);
  return code == kOk ? wait->finish(context) : code;
}

}  // namespace

Run declare_add(VerbParser& parser) {
  auto o = std::make_shared<AddOptions>();
  parser.option("-t,--target", o->targets,
                "Address, range, domain:NAME, domain:*.NAME or user:NAME");
  parser.option("-a,--action", o->action,
                "observe, reroute, throttle, defer, quarantine, reject or discard");
  parser.option("-r,--reason", o->reason, "Why, for people and the audit", Need::kRequired);
  parser.option("--for", o->duration, "How long, such as 2h (default 24h)");
  parser.option("--until", o->until, "Until when, such as 2026-11-25T18:00Z");
  parser.flag("--forever", o->forever, "Until it is released");
  parser.option("--limit", o->limit, "For throttle: 100/1h");
  parser.option("--unit", o->unit, "For throttle: messages or recipients");
  parser.option("--burst", o->burst, "For throttle: how many at once (default: the limit)");
  parser.option("--per", o->per, "For throttle: one budget per target (default) or address");
  parser.option("--transport", o->transport, "For reroute: a transport of master.cf");
  parser.option("--scope-sender-domain", o->scope_sender_domains, "Only this sender domain");
  parser.option("--scope-user", o->scope_users, "Only this SASL user");
  parser.option("--scope-recipient-domain", o->scope_recipient_domains,
                "Only this recipient domain");
  parser.flag("--dry-run", o->dry_run, "Count and log what it would do, let mail pass");
  parser.number("--priority", o->priority, -1000, 1000, "Higher wins over stricter");
  parser.option("--reply-code", o->reply_code, "451, 550 or another that fits the action");
  parser.option("--reply-enhanced", o->reply_enhanced, "Such as 4.7.1");
  parser.option("--reply-text", o->reply_text, "Instead of the text made from the reason");
  parser.option("-n,--name", o->name, "Default: a new one such as mail/m-7k3q2a");
  parser.option("-f,--file", o->file,
                "YAML or JSON mitigations instead of the options; - is stdin");
  parser.flag("--replace", o->replace, "Replace the one of that name");
  parser.flag("--force", o->force, "Allow very wide targets");
  Wait::declare(parser, o->wait);
  parser.examples(
      "Examples:\n"
      "  ipmitctl add -t 203.0.113.9 -a throttle --limit 100/1h --unit messages -r \"bounces\"\n"
      "  ipmitctl add -t user:alice@example.com -a reject --for 2h -r \"stolen password\"\n"
      "  ipmitctl add -f mitigations.yaml -r \"from the runbook\"");
  return [o](Context& context) { return run_add(context, *o); };
}

}  // namespace ipmit::cli
