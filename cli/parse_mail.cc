// SPDX-License-Identifier: Apache-2.0
#include <memory>
#include <optional>
#include <ostream>
#include <string>
#include <vector>

#include "cli/bounce_rules_file.h"
#include "cli/input_file.h"
#include "cli/report_attribution.h"
#include "cli/target_match.h"
#include "cli/verbs.h"
#include "common/json_text.h"
#include "events/mail_cutter.h"
#include "events/mail_report.h"

namespace ipmit::cli {
namespace {

struct Options {
  std::vector<std::string> files;
  std::string rules;
  ReportAttribution::Options attribution;
};

// One line of JSON for a file, written as its mails come, since a mbox may hold any number.
class FileReport {
 public:
  FileReport(std::ostream& out, const std::string& file) : out_(out) {
    out_ << R"({"file":)" << json_string(file) << R"(,"results":[)";
  }

  void add(const events::MailReport& report, ReportAttribution* attribution) {
    cut_ = cut_ || report.cut;
    for (const events::MailResult& result : report.results) {
      row_.clear();
      if (!first_) row_ += ',';
      first_ = false;
      common::JsonObjectText object(row_);
      events::add_members(object, result);
      if (attribution != nullptr) attribution->add_members(object, result);
      object.finish();
      out_ << row_;
    }
  }
  void finish() { out_ << R"(],"cut":)" << (cut_ ? "true" : "false") << "}\n"; }

 private:
  std::ostream& out_;
  std::string row_;
  bool first_ = true, cut_ = false;
};

ExitCode run_parse_mail(Context& context, const Options& options) {
  const auto rules = open_bounce_rules(options.rules, context);
  if (!rules) return context.bad_input(rules.problem());
  const auto attribution = ReportAttribution::open(options.attribution, context);
  if (!attribution) return context.bad_input("parse mail: " + attribution.problem());
  ExitCode code = kOk;
  for (const std::string& file : options.files) {
    std::optional<FileReport> report;
    events::MailCutter cutter([&](std::string_view mail) {
      report->add(events::parse_mail(mail, *(*rules)->rules()), attribution->get());
    });
    PieceReader reader;
    reader.start = [&] { report.emplace(context.out, file); };
    reader.use = [&](std::string_view bytes) { cutter.add(bytes); };
    reader.idle = [&] { context.out.flush(); };
    if (const auto problem = read_in_pieces(file, context.in, reader))
      code = context.bad_input(problem->reason);
    if (!report) continue;
    cutter.finish();
    report->finish();
  }
  return code;
}

}  // namespace

Run declare_parse_mail(VerbParser& parser) {
  auto options = std::make_shared<Options>();
  parser.positional("FILE", options->files, "mails, one a file; - is stdin", Need::kRequired);
  parser.option("--rules", options->rules, "bounce rules to use instead of the built-in ones");
  parser.option("--trace-keys", options->attribution.trace_keys,
                "key file of the milter: say of each report whether it is about mail sent here");
  parser.option("--log", options->attribution.log,
                "with --trace-keys: mail log, whose deliveries speak for reports without a token");
  parser.option("--at", options->attribution.at,
                "with --trace-keys: time to judge lifetimes by; default: now");
  parser.examples(
      "ipmitctl parse mail Maildir/new/*\n"
      "ipmitctl parse mail --trace-keys /var/lib/ipmit/trace.keys --log /var/log/mail.log "
      "bounces.mbox");
  return [options](Context& context) { return run_parse_mail(context, *options); };
}

}  // namespace ipmit::cli
