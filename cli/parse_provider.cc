// SPDX-License-Identifier: Apache-2.0
#include <memory>
#include <optional>
#include <ostream>
#include <string>
#include <vector>

#include "cli/bounce_rules_file.h"
#include "cli/input_file.h"
#include "cli/verbs.h"
#include "events/provider/provider_events.h"

namespace ipmit::cli {
namespace {

struct Options {
  std::vector<std::string> files;
  std::string from, rules;
};

std::string in_words(const events::ProviderReader::Counters& counters) {
  return std::to_string(counters.records) + " records, " + std::to_string(counters.bad) + " bad";
}

// Prints the events of one file; a bad record is told and passed over.
ExitCode parse_file(Context& context, const std::string& file,
                    std::optional<events::Provider> provider, events::RulesFile& rules) {
  std::string line;
  events::ProviderReader::Sinks sinks;
  sinks.event = [&](const events::ProviderRecord& record) {
    line.clear();
    append_json(line, record);
    context.out << line << '\n';
  };
  sinks.problem = [&](const std::string& problem) { context.bad_input(file + ": " + problem); };
  sinks.confirmation = [&](const std::string& url) {
    context.warn(file + ": Amazon SNS waits for somebody to open " + url);
  };
  auto current = rules.rules();
  events::ProviderReader reader(provider, *current, std::move(sinks));
  PieceReader pieces;
  pieces.use = [&](std::string_view bytes) {
    auto next = rules.rules();
    reader.use(*next);
    current = std::move(next);
    reader.add(bytes);
  };
  pieces.idle = [&] { context.out.flush(); };
  if (const auto problem = read_in_pieces(file, context.in, pieces))
    return context.bad_input(problem->reason);
  reader.finish();
  if (reader.counters().bad == 0) return kOk;
  return context.bad_input(file + ": " + in_words(reader.counters()));
}

ExitCode run_parse_provider(Context& context, const Options& options) {
  std::optional<events::Provider> provider;
  if (!options.from.empty()) {
    provider = events::parse_provider(options.from);
    if (!provider)
      return context.bad_input(
          "parse provider: --from: wants ses, sendgrid, mailgun, postmark, "
          "kumomta or ipmit, has \"" +
          options.from + "\"");
  }
  const auto rules = open_bounce_rules(options.rules, context);
  if (!rules) return context.bad_input(rules.problem());
  ExitCode code = kOk;
  const std::vector<std::string> standard_input = {"-"};
  for (const std::string& file : options.files.empty() ? standard_input : options.files)
    if (parse_file(context, file, provider, **rules) != kOk) code = kBadInput;
  return code;
}

}  // namespace

Run declare_parse_provider(VerbParser& parser) {
  auto options = std::make_shared<Options>();
  parser.positional("FILE", options->files, "JSON as a provider sends it; none or -: stdin",
                    Need::kOptional);
  parser.option("--from", options->from,
                "ses, sendgrid, mailgun, postmark, kumomta or ipmit; default: told by each record");
  parser.option("--rules", options->rules, "bounce rules to use instead of the built-in ones");
  parser.examples("ipmitctl parse provider --from sendgrid < webhook.json");
  return [options](Context& context) { return run_parse_provider(context, *options); };
}

}  // namespace ipmit::cli
