// SPDX-License-Identifier: Apache-2.0
#include <memory>
#include <ostream>

#include "cli/doctor_checks.h"
#include "cli/target_match.h"
#include "cli/text_table.h"
#include "cli/verbs.h"
#include "common/error.h"
#include "common/json_text.h"

namespace ipmit::cli {
namespace {

struct DoctorOptions {
  std::string directory, smtp;
  bool no_postfix = false, no_probe = false;
};

std::string_view word(Finding::Level level) {
  switch (level) {
    case Finding::Level::kOk:
      return "OK";
    case Finding::Level::kWarn:
      return "WARN";
    case Finding::Level::kFail:
      break;
  }
  return "FAIL";
}

void check_settings(Context& context, Findings& findings) {
  auto settings = conf::load_settings(context.config);
  if (!settings) {
    findings.fail("settings", settings.problem(), {"ipmitctl validate FILE"});
    return;
  }
  context.settings = *std::move(settings);
  findings.ok("settings",
              context.settings.file.empty() ? "built-in defaults, no file" : context.settings.file);
}

void check_store(Context& context, Findings& findings) {
  const std::string& url = context.settings.store;
  try {
    if (!context.store) context.store = schema::open_store(url, false);
    const auto loaded = context.store->load();
    const std::string text = url + ", revision " + std::to_string(loaded.set.revision) + ", " +
                             std::to_string(loaded.set.mitigations.size()) + " mitigations";
    if (loaded.skipped == 0)
      findings.ok("store", text);
    else
      findings.warn("store", text + ", " + std::to_string(loaded.skipped) +
                                 " entries that cannot be read and are not enforced");
  } catch (const common::TransientError& error) {
    findings.fail("store", error.what());
  } catch (const common::PermanentError& error) {
    findings.fail("store", error.what(), {"ipmitctl migrate"});
  }
}

void check_postfix(const DoctorOptions& options, const conf::MilterSettings& settings,
                   bool asks_for_macros, Findings& findings) {
  const auto postfix = read_postfix_config(options.directory);
  if (!postfix) {
    findings.fail("postfix", postfix.problem(), {"name its directory with -c DIR"});
    return;
  }
  findings.ok("postfix", postfix->value("mail_version") + ", " + postfix->directory);
  check_socket_rights(settings, postfix->value("mail_owner"), findings);
  check_postfix_filters(*postfix, settings, findings);
  check_header_tables(*postfix, findings);
  check_reentry(*postfix, settings, findings);
  if (!asks_for_macros) check_macro_lists(*postfix, findings);
  if (options.no_probe) return;
  const std::string smtp = options.smtp.empty() ? smtp_endpoint(*postfix) : options.smtp;
  if (smtp.empty())
    findings.warn("probe", "not sent: no plain smtpd on TCP in master.cf",
                  {"ipmitctl doctor --smtp HOST:PORT"});
  else
    check_probe(settings, smtp, findings);
}

void print_json(std::ostream& out, const Findings& findings) {
  std::string text = "[";
  for (const Finding& finding : findings.all()) {
    text += text.size() == 1 ? "\n" : ",\n";
    common::JsonObjectText object(text);
    object.text("level", word(finding.level));
    object.text("check", finding.check);
    object.text("text", finding.text);
    std::string remedy;
    for (const std::string& line : finding.remedy)
      remedy += (remedy.empty() ? "" : ",") + json_string(line);
    if (!remedy.empty()) object.raw("remedy", "[" + remedy + "]");
    object.finish();
  }
  out << text << "\n]\n";
}

void print_text(std::ostream& out, const Findings& findings) {
  std::size_t warnings = 0, failures = 0;
  for (const Finding& finding : findings.all()) {
    if (finding.level == Finding::Level::kWarn) ++warnings;
    if (finding.level == Finding::Level::kFail) ++failures;
    std::string level(word(finding.level));
    level.resize(6, ' ');
    out << level << finding.check << ": " << printable(finding.text) << '\n';
    for (const std::string& line : finding.remedy) out << "        " << printable(line) << '\n';
  }
  out << failures << " failed, " << warnings << " warnings\n";
}

ExitCode run_doctor(Context& context, const DoctorOptions& options) {
  Findings findings;
  check_settings(context, findings);
  check_store(context, findings);
  const conf::MilterSettings& settings = context.settings.milter;
  const HandshakeResult handshake = check_handshake(settings, findings);
  if (!options.no_postfix)
    check_postfix(options, settings, handshake.asks_for_macros || !handshake.answered, findings);
  if (context.json())
    print_json(context.out, findings);
  else
    print_text(context.out, findings);
  for (const Finding& finding : findings.all())
    if (finding.level == Finding::Level::kFail) return kFailed;
  return kOk;
}

}  // namespace

std::string smtp_endpoint(const PostfixConfig& postfix) {
  for (const PostfixService& service : postfix.services) {
    if (service.type != "inet" || service.command != "smtpd") continue;
    if (postfix.value(service, "receive_override_options").find("no_milters") != std::string::npos)
      continue;
    const auto colon = service.name.rfind(':');
    std::string port = colon == std::string::npos ? service.name : service.name.substr(colon + 1);
    std::string host = colon == std::string::npos ? "" : service.name.substr(0, colon);
    if (port == "smtp") port = "25";
    if (port == "submission") port = "587";
    if (port.find_first_not_of("0123456789") != std::string::npos) continue;  // TLS from the start
    if (host.empty() || host == "localhost" || host == "0.0.0.0") host = "127.0.0.1";
    if (host == "[::]") host = "[::1]";
    return host + ":" + port;
  }
  return "";
}

Run declare_doctor(VerbParser& parser) {
  auto o = std::make_shared<DoctorOptions>();
  parser.option("-c,--postfix-config", o->directory, "Directory of main.cf (default: Postfix's)");
  parser.option("--smtp", o->smtp, "HOST:PORT for the probe (default: from master.cf)");
  parser.flag("--no-postfix", o->no_postfix, "Look at settings, store and milter only");
  parser.flag("--no-probe", o->no_probe, "Do not speak to Postfix");
  return [o](Context& context) { return run_doctor(context, *o); };
}

}  // namespace ipmit::cli
