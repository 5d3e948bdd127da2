// SPDX-License-Identifier: Apache-2.0
// Where Postfix names our milter: smtpd_milters, non_smtpd_milters and their options.
#include <algorithm>
#include <array>
#include <cstring>
#include <filesystem>

#include "cli/doctor_checks.h"
#include "common/listen_address.h"

namespace ipmit::cli {
namespace {

namespace fs = std::filesystem;

// What a filter of Postfix 3.7 may have inside { }; anything else stops smtpd.
constexpr std::array kFilterOptions = {"connect_timeout", "command_timeout", "content_timeout",
                                       "default_action", "protocol"};
constexpr std::array kDefaultActions = {"accept", "tempfail", "reject", "quarantine", "shutdown"};

bool starts_with(const std::string& text, std::string_view beginning) {
  return text.compare(0, beginning.size(), beginning) == 0;
}

bool is_unix(const std::string& endpoint) {
  return starts_with(endpoint, "unix:") || starts_with(endpoint, "local:");
}

// The socket path as a service finds it: below the queue directory where it is relative, and again
// where the service is chrooted there.
std::string path_seen(const PostfixConfig& postfix, const std::string& endpoint, bool chroot) {
  std::string path = endpoint.substr(endpoint.find(':') + 1);
  const std::string queue = postfix.value("queue_directory");
  if (path.empty()) return path;
  const bool below = chroot || path.front() != '/';
  return fs::path(below ? queue + "/" + path : path).lexically_normal().string();
}

std::string normal(const std::string& path) {
  std::error_code error;
  const fs::path resolved = fs::weakly_canonical(path, error);
  return error ? fs::path(path).lexically_normal().string() : resolved.string();
}

bool same_inet(const std::string& endpoint, const std::string& ours) {
  std::string numeric = endpoint;
  if (const auto at = numeric.find("localhost"); at != std::string::npos)
    numeric.replace(at, std::strlen("localhost"), "127.0.0.1");
  const auto a = common::parse_listen_address(numeric);
  const auto b = common::parse_listen_address(ours);
  return a && b && !a->is_unix() && !b->is_unix() && a->length == b->length &&
         std::memcmp(&a->address, &b->address, a->length) == 0;
}

bool is_ours(const PostfixConfig& postfix, const MilterSpec& spec, bool chroot,
             const std::string& socket) {
  if (is_unix(socket) && is_unix(spec.endpoint))
    return normal(path_seen(postfix, spec.endpoint, chroot)) ==
           normal(socket.substr(socket.find(':') + 1));
  return same_inet(spec.endpoint, socket);
}

// Means our socket but does not reach it: right for a chrooted service and wrong for another, or
// the other way round.
bool nearly_ours(const PostfixConfig& postfix, const MilterSpec& spec, bool chroot,
                 const std::string& socket) {
  return is_ours(postfix, spec, !chroot, socket);
}

void check_options(const MilterSpec& spec, const std::string& parameter, const std::string& wanted,
                   Findings& findings) {
  for (const auto& [name, value] : spec.options) {
    if (std::find(kFilterOptions.begin(), kFilterOptions.end(), name) == kFilterOptions.end()) {
      findings.fail(parameter,
                    "option \"" + name + "\" of " + spec.endpoint +
                        " is unknown to Postfix: smtpd stops at every connection",
                    {"main.cf: " + parameter + " = " + wanted});
      return;
    }
  }
  std::string missing;
  for (const char* name : {"connect_timeout", "command_timeout", "content_timeout"})
    if (spec.options.count(name) == 0) missing += (missing.empty() ? "" : ", ") + std::string(name);
  if (!missing.empty())
    findings.warn(parameter,
                  "no " + missing + " for " + spec.endpoint +
                      ": a hung filter costs each client 30 s to 300 s",
                  {"main.cf: " + parameter + " = " + wanted});
  const auto action = spec.options.find("default_action");
  if (action == spec.options.end()) {
    findings.warn(parameter,
                  "no default_action for " + spec.endpoint +
                      ": what happens without the filter depends on milter_default_action and the "
                      "version of Postfix",
                  {"main.cf: " + parameter + " = " + wanted});
  } else if (std::find(kDefaultActions.begin(), kDefaultActions.end(), action->second) ==
             kDefaultActions.end()) {
    findings.fail(parameter,
                  "default_action \"" + action->second +
                      "\" is unknown to Postfix: it answers 451 4.3.5 to everything",
                  {"main.cf: " + parameter + " = " + wanted});
  }
}

std::string list_text(const std::vector<MilterSpec>& specs) {
  std::string out;
  for (const MilterSpec& spec : specs) out += (out.empty() ? "" : ", ") + spec.endpoint;
  return out.empty() ? "no filter" : out;
}

// One service that should ask us. false: it does not.
bool check_service(const PostfixConfig& postfix, const conf::MilterSettings& settings,
                   const std::string& parameter, const PostfixService& service,
                   Findings& findings) {
  const auto specs = parse_milters(postfix.value(service, parameter));
  const auto ours = std::find_if(specs.begin(), specs.end(), [&](const MilterSpec& spec) {
    return is_ours(postfix, spec, service.chroot, settings.socket);
  });
  if (ours != specs.end()) return true;
  const std::string wanted = wanted_filter(postfix, settings);
  const std::string where = service.title() + (service.chroot ? " (chrooted)" : "");
  const auto near = std::find_if(specs.begin(), specs.end(), [&](const MilterSpec& spec) {
    return nearly_ours(postfix, spec, service.chroot, settings.socket);
  });
  if (near != specs.end()) {
    findings.fail(parameter,
                  where + " looks for " + path_seen(postfix, near->endpoint, service.chroot) +
                      ", the milter listens on " + settings.socket,
                  {"main.cf: " + parameter + " = " + wanted});
    return false;
  }
  const std::string remedy = service.overrides.count(parameter) != 0
                                 ? "master.cf: remove -o " + parameter + " from " + service.title()
                                 : "main.cf: " + parameter + " = " + wanted;
  findings.fail(parameter,
                where + " asks " + list_text(specs) + ", not " + settings.socket +
                    ": its mail is not decided",
                {remedy});
  return false;
}

bool skips_filters(const PostfixConfig& postfix, const PostfixService& service) {
  return postfix.value(service, "receive_override_options").find("no_milters") != std::string::npos;
}

// Complete only below the queue directory, where a chrooted service sees it.
void check_place(const PostfixConfig& postfix, const conf::MilterSettings& settings,
                 Findings& findings) {
  if (!is_unix(settings.socket)) return;
  const std::string queue = postfix.value("queue_directory");
  const std::string path = settings.socket.substr(settings.socket.find(':') + 1);
  if (starts_with(normal(path), normal(queue) + "/")) return;
  for (const PostfixService& service : postfix.services) {
    if (!service.chroot || (service.command != "smtpd" && service.command != "cleanup")) continue;
    findings.fail("socket",
                  service.title() + " is chrooted to " + queue + " and cannot see " + path,
                  {"install -d -o ipmit -g postfix -m 2750 " + queue + "/ipmit",
                   "ipmit.yaml: milter: socket: unix:" + queue + "/ipmit/milter.sock"});
    return;
  }
}

}  // namespace

std::string wanted_filter(const PostfixConfig& postfix, const conf::MilterSettings& settings) {
  std::string endpoint = settings.socket;
  const std::string queue = postfix.value("queue_directory") + "/";
  if (is_unix(endpoint)) {
    std::string path = endpoint.substr(endpoint.find(':') + 1);
    if (starts_with(path, queue)) endpoint = "unix:" + path.substr(queue.size());
  }
  return "{ " + endpoint +
         ", connect_timeout=2s, command_timeout=5s, content_timeout=10s, default_action=accept }";
}

void check_postfix_filters(const PostfixConfig& postfix, const conf::MilterSettings& settings,
                           Findings& findings) {
  check_place(postfix, settings, findings);
  const std::string wanted = wanted_filter(postfix, settings);
  std::size_t asked = 0, wrong = 0;
  for (const PostfixService& service : postfix.services) {
    if (service.command != "smtpd" || skips_filters(postfix, service)) continue;
    const bool good = check_service(postfix, settings, "smtpd_milters", service, findings);
    ++(good ? asked : wrong);
  }
  if (asked + wrong == 0)
    findings.fail("smtpd_milters", "master.cf has no smtpd that asks filters");
  else if (wrong == 0)
    findings.ok("smtpd_milters", "every smtpd asks " + settings.socket);

  for (const PostfixService& service : postfix.services) {
    if (service.command != "cleanup" || service.name != "cleanup") continue;
    const auto specs = parse_milters(postfix.value(service, "non_smtpd_milters"));
    if (specs.empty())
      findings.warn("non_smtpd_milters", "mail from sendmail(1) on this host is not decided",
                    {"main.cf: non_smtpd_milters = " + wanted});
    else if (check_service(postfix, settings, "non_smtpd_milters", service, findings))
      findings.ok("non_smtpd_milters", "cleanup asks " + settings.socket);
  }
  for (const char* parameter : {"smtpd_milters", "non_smtpd_milters"})
    for (const MilterSpec& spec : parse_milters(postfix.value(parameter)))
      if (is_ours(postfix, spec, false, settings.socket) ||
          is_ours(postfix, spec, true, settings.socket))
        check_options(spec, parameter, wanted, findings);
}

}  // namespace ipmit::cli
