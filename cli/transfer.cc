// SPDX-License-Identifier: Apache-2.0
// import and export: all of a store as JSON lines.
#include <fstream>
#include <memory>
#include <ostream>
#include <sstream>

#include "cli/add_options.h"
#include "cli/records.h"
#include "cli/verbs.h"
#include "cli/wait.h"
#include "schema/mitigation_json.h"

namespace ipmit::cli {
namespace {

using schema::PutMode;
using schema::PutResult;

struct ImportOptions {
  std::string file = "-", reason, wait;
  bool replace = false;
};

struct Tally {
  std::size_t added = 0, replaced = 0, unchanged = 0, refused = 0;
};

void count(Context& context, const std::string& what, PutResult result, Tally& tally) {
  switch (result) {
    case PutResult::kAdded:
      ++tally.added;
      return;
    case PutResult::kReplaced:
      ++tally.replaced;
      return;
    case PutResult::kUnchanged:
      ++tally.unchanged;
      return;
    case PutResult::kExists:
      context.warn(what + " exists already and differs; --replace replaces it");
      break;
    case PutResult::kHeldOff:
      context.warn(what + ": a target was released with a hold-off that has not ended");
      break;
    case PutResult::kNotFound:
      context.warn(what + " is not there");
      break;
  }
  ++tally.refused;
}

ExitCode run_import(Context& context, const ImportOptions& options) {
  if (const auto problem = check_reason(options.reason)) return context.bad_input(problem->reason);
  const auto wait = Wait::prepare(context, options.wait);
  if (!wait) return context.bad_input("import: " + wait.problem());
  const auto text = read_whole(options.file, context.in);
  if (!text) return context.bad_input(text.problem());
  std::istringstream lines(*text);
  ReadRecords read = read_json_lines(lines, options.file);
  for (const std::string& problem : read.problems) context.err << problem << '\n';
  if (!read.problems.empty()) return kBadInput;

  Tally tally;
  const auto mode = options.replace ? PutMode::kAddOrReplace : PutMode::kAddOnly;
  for (Record& record : read.records) {
    if (auto* mitigation = std::get_if<policy::Mitigation>(&record)) {
      const auto result =
          context.store->put(*mitigation, mode, context.note(options.reason), context.now());
      count(context, mitigation->name, result, tally);
    } else {
      auto& exemption = std::get<policy::Exemption>(record);
      const auto result =
          context.store->put_exemption(exemption, context.note(options.reason), context.now());
      count(context, exemption.target.to_string(), result, tally);
    }
  }
  if (context.json())
    context.out << R"({"added":)" << tally.added << R"(,"replaced":)" << tally.replaced
                << R"(,"unchanged":)" << tally.unchanged << R"(,"refused":)" << tally.refused
                << "}\n";
  else
    context.out << tally.added << " added, " << tally.replaced << " replaced, " << tally.unchanged
                << " unchanged, " << tally.refused << " refused\n";
  return tally.refused == 0 ? wait->finish(context) : kFailed;
}

ExitCode run_export(Context& context) {
  for (const policy::Exemption& exemption : context.store->exemptions())
    context.out << schema::to_json(exemption) << '\n';
  schema::Store::Filter filter;
  for (;;) {
    const auto page = context.store->list(filter);
    for (const policy::Mitigation& mitigation : page)
      context.out << schema::to_json(mitigation) << '\n';
    if (page.size() < filter.most) return kOk;
    filter.after = page.back().name;
  }
}

}  // namespace

Run declare_import(VerbParser& parser) {
  auto o = std::make_shared<ImportOptions>();
  parser.positional("FILE", o->file, "JSON lines as export writes them (default: stdin)",
                    Need::kOptional);
  parser.option("-r,--reason", o->reason, "Why, for the audit", Need::kRequired);
  parser.flag("--replace", o->replace, "Replace mitigations of the same name");
  Wait::declare(parser, o->wait);
  return [o](Context& context) { return run_import(context, *o); };
}

Run declare_export(VerbParser&) {
  return [](Context& context) { return run_export(context); };
}

}  // namespace ipmit::cli
