// SPDX-License-Identifier: Apache-2.0
#include <cstddef>
#include <memory>
#include <ostream>
#include <string>
#include <string_view>
#include <vector>

#include "cli/bounce_rules_file.h"
#include "cli/input_file.h"
#include "cli/verbs.h"
#include "common/json_text.h"
#include "events/log_lines.h"
#include "events/mail_report.h"
#include "events/rules_file.h"

namespace ipmit::cli {
namespace {

struct Options {
  std::vector<std::string> texts;
  std::string rules;
};

void print_verdict(Context& context, std::string_view text, const events::TextVerdict& verdict) {
  const std::string_view rule = verdict.rule.empty() ? "none" : std::string_view(verdict.rule);
  if (!context.json()) {
    context.out << policy::to_string(verdict.bounce_class) << (verdict.hard ? " (hard)" : "")
                << "  rule " << rule << "  reply " << (verdict.reply.empty() ? "-" : verdict.reply)
                << "  status " << (verdict.status.empty() ? "-" : verdict.status) << "  stage "
                << policy::to_string(verdict.stage) << '\n';
    return;
  }
  std::string line;
  common::JsonObjectText object(line);
  object.always_text("text", text);
  object.text("class", policy::to_string(verdict.bounce_class));
  object.boolean("hardbounce", verdict.hard);
  object.text("rule", verdict.rule);
  object.text("replycode", verdict.reply);
  object.text("status", verdict.status);
  object.text("stage", policy::to_string(verdict.stage));
  object.finish();
  context.out << line << '\n';
}

void print_verdicts_of_input(Context& context, events::RulesFile& rules) {
  events::LineCutter cutter([&](char* buffer, std::size_t size) {
    context.out.flush();
    return read_input(context.in, buffer, size);
  });
  const auto print = [&](const events::LogLine& line) {
    print_verdict(context, line.text, events::parse_text(line.text, *rules.rules()));
  };
  while (const auto line = cutter.next()) print(*line);
  if (const auto line = cutter.rest()) print(*line);
  if (cutter.cut_lines() > 0)
    context.warn(std::to_string(cutter.cut_lines()) + " lines were longer than 64 KiB and cut");
}

// Texts of the command line, or the lines of standard input.
ExitCode run_parse_text(Context& context, const Options& options) {
  const auto rules = open_bounce_rules(options.rules, context);
  if (!rules) return context.bad_input(rules.problem());
  for (const std::string& text : options.texts)
    print_verdict(context, text, events::parse_text(text, *(*rules)->rules()));
  if (options.texts.empty()) print_verdicts_of_input(context, **rules);
  return kOk;
}

}  // namespace

Run declare_parse_text(VerbParser& parser) {
  auto options = std::make_shared<Options>();
  parser.positional("TEXT", options->texts,
                    "SMTP replies or diagnostic texts; none: lines of stdin", Need::kOptional);
  parser.option("--rules", options->rules, "bounce rules to use instead of the built-in ones");
  parser.examples("ipmitctl parse text '550 5.1.1 <user@example.net>: Recipient address rejected'");
  return [options](Context& context) { return run_parse_text(context, *options); };
}

}  // namespace ipmit::cli
