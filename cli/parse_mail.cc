// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <iterator>
#include <memory>
#include <ostream>
#include <string>
#include <vector>

#include "cli/bounce_rules_file.h"
#include "cli/records.h"
#include "cli/target_match.h"
#include "cli/verbs.h"
#include "common/json_text.h"
#include "events/mail_report.h"
#include "events/mime_part.h"

namespace ipmit::cli {
namespace {

struct Options {
  std::vector<std::string> files;
  std::string rules;
};

std::string to_json(const std::string& file, const events::MailReport& report) {
  std::string results = "[";
  for (const events::MailResult& result : report.results) {
    if (results.size() > 1) results += ',';
    common::JsonObjectText row(results);
    events::add_members(row, result);
    row.finish();
  }
  std::string line;
  common::JsonObjectText object(line);
  object.text("file", file);
  object.boolean("cut", report.cut);
  object.raw("results", results + "]");
  object.finish();
  return line;
}

ExitCode run_parse_mail(Context& context, const Options& options) {
  const auto rules = load_bounce_rules(options.rules, context.in);
  if (!rules) return context.bad_input(rules.problem());
  ExitCode code = kOk;
  for (const std::string& file : options.files) {
    const auto bytes = read_whole(file, context.in);
    if (!bytes) {
      code = context.bad_input(bytes.problem());
      continue;
    }
    events::MailReport all;
    for (const std::string_view mail : events::split_mbox(*bytes)) {
      events::MailReport report = events::parse_mail(mail, *rules);
      all.cut = all.cut || report.cut;
      std::move(report.results.begin(), report.results.end(), std::back_inserter(all.results));
    }
    context.out << to_json(file, all) << '\n';
  }
  return code;
}

}  // namespace

Run declare_parse_mail(VerbParser& parser) {
  auto options = std::make_shared<Options>();
  parser.positional("FILE", options->files, "mails, one a file; - is stdin", Need::kRequired);
  parser.option("--rules", options->rules, "bounce rules to use instead of the built-in ones");
  parser.examples("ipmitctl parse mail Maildir/new/*");
  return [options](Context& context) { return run_parse_mail(context, *options); };
}

}  // namespace ipmit::cli
