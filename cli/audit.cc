// SPDX-License-Identifier: Apache-2.0
#include <memory>
#include <ostream>

#include "cli/audit_text.h"
#include "cli/text_table.h"
#include "cli/verbs.h"
#include "common/json_text.h"

namespace ipmit::cli {
namespace {

struct AuditOptions {
  std::string subject;
  std::int64_t most = 100;
};

ExitCode run_audit(Context& context, const AuditOptions& options) {
  const auto rows = context.store->audit(options.subject, static_cast<std::size_t>(options.most));
  if (context.json())
    context.out << audit_json(rows) << '\n';
  else if (rows.empty())
    context.out << "no changes recorded"
                << (options.subject.empty() ? "" : " of " + options.subject) << '\n';
  else
    print_audit(context.out, rows, "");
  return kOk;
}

}  // namespace

void print_audit(std::ostream& out, const std::vector<schema::AuditRow>& rows,
                 std::string_view indent) {
  TextTable table;
  for (const schema::AuditRow& row : rows)
    table.add({std::to_string(row.revision), common::to_rfc3339(row.when), row.operation,
               row.subject, "by " + row.who, row.why});
  table.print(out, indent);
}

std::string audit_json(const std::vector<schema::AuditRow>& rows) {
  std::string out = "[";
  for (const schema::AuditRow& row : rows) {
    out += out.size() == 1 ? "\n" : ",\n";
    common::JsonObjectText object(out);
    object.number("revision", row.revision);
    object.text("when", common::to_rfc3339(row.when));
    object.text("who", row.who);
    object.text("why", row.why);
    object.text("operation", row.operation);
    object.text("subject", row.subject);
    if (!row.before.empty()) object.raw("before", row.before);
    if (!row.after.empty()) object.raw("after", row.after);
    object.finish();
  }
  return out + (rows.empty() ? "]" : "\n]");
}

Run declare_audit(VerbParser& parser) {
  auto o = std::make_shared<AuditOptions>();
  parser.positional("SUBJECT", o->subject, "Name of a mitigation or exempt target; default: all",
                    Need::kOptional);
  parser.number("--most", o->most, 1, 1'000'000, "Show at most so many, newest first");
  return [o](Context& context) { return run_audit(context, *o); };
}

}  // namespace ipmit::cli
