// SPDX-License-Identifier: Apache-2.0
// Header tables, re-entry ports and macro lists.
#include <algorithm>
#include <array>

#include "cli/doctor_checks.h"

namespace ipmit::cli {
namespace {

// What the tables of a parameter answer for a header; the first that matches counts, as in Postfix.
std::optional<std::string> look_up(const PostfixConfig& postfix, const std::string& parameter,
                                   const std::string& header, Findings& findings) {
  for (const std::string& table : parse_tables(postfix.value(parameter))) {
    const auto answer = postfix.look_up(table, header);
    if (!answer) {
      findings.fail(parameter, "table " + table + " cannot be read: " + answer.problem(),
                    {"main.cf: " + parameter + " = …"});
      return std::nullopt;
    }
    const std::optional<std::string>& result = *answer;
    if (result.has_value()) return result;
  }
  return std::nullopt;
}

std::string first_word(const std::string& text) {
  return text.substr(0, text.find(' '));
}

std::string upper(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(),
                 [](char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c; });
  return text;
}

struct ActionHeader {
  const char* header;
  const char* wanted;
  const char* action;
};
constexpr std::array kActionHeaders = {
    ActionHeader{"X-Ipmit-Route: slow", "FILTER slow:", "Reroute"},
    ActionHeader{"X-Ipmit-Hold: ipmit doctor", "HOLD ipmit doctor", "Quarantine"},
    ActionHeader{"X-Ipmit-Discard: ipmit doctor", "DISCARD ipmit doctor", "Discard"},
};

void check_action_headers(const PostfixConfig& postfix, Findings& findings) {
  bool good = true;
  for (const ActionHeader& each : kActionHeaders) {
    const auto answer = look_up(postfix, "milter_header_checks", each.header, findings);
    if (answer && *answer == each.wanted) continue;
    good = false;
    findings.fail("milter_header_checks",
                  std::string(each.action) + " will not act: " + each.header + " gives " +
                      (answer ? "\"" + *answer + "\"" : std::string("nothing")) + ", wanted is \"" +
                      each.wanted + "\"",
                  {"install -D -m 644 conf/postfix/milter_header_checks " + postfix.directory +
                       "/ipmit/milter_header_checks",
                   "main.cf: milter_header_checks = regexp:$config_directory/ipmit/"
                   "milter_header_checks"});
  }
  if (good) findings.ok("milter_header_checks", "Quarantine, Reroute and Discard act");
}

bool is_inet_port(const PostfixService& service, std::uint16_t port) {
  if (service.type != "inet" || service.command != "smtpd") return false;
  const auto colon = service.name.rfind(':');
  const std::string text =
      colon == std::string::npos ? service.name : service.name.substr(colon + 1);
  return text == std::to_string(port) || (text == "smtp" && port == 25) ||
         (text == "submission" && port == 587) || (text == "smtps" && port == 465) ||
         (text == "submissions" && port == 465);
}

bool has_override(const PostfixConfig& postfix, const PostfixService& service,
                  std::string_view word) {
  return postfix.value(service, "receive_override_options").find(word) != std::string::npos;
}

void check_reentry_port(const PostfixConfig& postfix, std::uint16_t port, Findings& findings) {
  const auto service =
      std::find_if(postfix.services.begin(), postfix.services.end(),
                   [&](const PostfixService& each) { return is_inet_port(each, port); });
  const std::string text = std::to_string(port);
  if (service == postfix.services.end()) {
    findings.warn("re-entry port",
                  "ipmit.yaml names port " + text + ", but master.cf has no smtpd there",
                  {"ipmit.yaml: take " + text + " out of milter.reentry_ports"});
    return;
  }
  if (!has_override(postfix, *service, "no_milters"))
    findings.fail("re-entry port",
                  "port " + text +
                      " asks the filters again: mail is counted twice, and a Reroute "
                      "that comes back here loops",
                  {"master.cf: " + service->title() +
                   ": -o receive_override_options=no_milters,no_header_body_checks"});
  else if (!has_override(postfix, *service, "no_header_body_checks"))
    findings.warn("re-entry port",
                  "port " + text + " takes the trace header out of mail that comes back",
                  {"master.cf: " + service->title() +
                   ": -o receive_override_options=no_milters,no_header_body_checks"});
  else
    findings.ok("re-entry port", "port " + text + " asks no filter");
}

}  // namespace

void check_header_tables(const PostfixConfig& postfix, Findings& findings) {
  check_action_headers(postfix, findings);
  const std::string header = "X-Ipmit-Trace: forged";
  const auto forged = look_up(postfix, "header_checks", header, findings);
  if (forged && (upper(first_word(*forged)) == "IGNORE" || upper(first_word(*forged)) == "STRIP"))
    findings.ok("header_checks", "forged X-Ipmit- headers are taken out");
  else
    findings.fail("header_checks", "X-Ipmit- headers that a client sends stay in the mail",
                  {"install -D -m 644 conf/postfix/header_checks " + postfix.directory +
                       "/ipmit/header_checks",
                   "main.cf: header_checks = regexp:$config_directory/ipmit/header_checks"});
  for (const char* parameter : {"nested_header_checks", "mime_header_checks"}) {
    const auto answer = look_up(postfix, parameter, header, findings);
    if (!answer)
      findings.ok(parameter, "returned mail keeps its trace header");
    else
      findings.fail(parameter,
                    "takes the trace header out of mail inside a DSN or a complaint (it defaults "
                    "to $header_checks)",
                    {"main.cf: " + std::string(parameter) + " ="});
  }
}

void check_reentry(const PostfixConfig& postfix, const conf::MilterSettings& settings,
                   Findings& findings) {
  for (const std::uint16_t port : settings.reentry_ports)
    check_reentry_port(postfix, port, findings);
  const std::string filter = postfix.value("content_filter");
  const bool proxied = std::any_of(
      postfix.services.begin(), postfix.services.end(), [&](const PostfixService& service) {
        return service.command == "smtpd" && !postfix.value(service, "smtpd_proxy_filter").empty();
      });
  if ((!filter.empty() || proxied) && settings.reentry_ports.empty())
    findings.warn("re-entry port",
                  "Postfix has a content filter, but ipmit.yaml names no port on which its mail "
                  "comes back",
                  {"ipmit.yaml: milter: reentry_ports: [PORT]"});
}

void check_macro_lists(const PostfixConfig& postfix, Findings& findings) {
  struct Wanted {
    const char* parameter;
    const char* macro;
    const char* why;
  };
  constexpr std::array kWanted = {
      Wanted{"milter_connect_macros", "{daemon_port}", "re-entry ports are not recognised"},
      Wanted{"milter_mail_macros", "{auth_authen}", "rules for SASL users never match"},
      Wanted{"milter_rcpt_macros", "i", "log lines have no queue id"},
      Wanted{"milter_end_of_data_macros", "i", "log lines have no queue id"},
  };
  bool good = true;
  for (const Wanted& each : kWanted) {
    const std::string value = postfix.value(each.parameter);
    const auto macros = parse_tables(value);
    const bool there = std::any_of(macros.begin(), macros.end(), [&](const std::string& macro) {
      return macro == each.macro || macro == "{" + std::string(each.macro) + "}";
    });
    if (there) continue;
    good = false;
    findings.warn(each.parameter, std::string(each.macro) + " is not in it: " + each.why,
                  {"main.cf: " + std::string(each.parameter) + " = " + value + " " + each.macro});
  }
  if (good) findings.ok("macros", "all that are needed are in the lists of main.cf");
}

}  // namespace ipmit::cli
