// SPDX-License-Identifier: Apache-2.0
// What only a running milter and a running Postfix can show.
#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <filesystem>

#include <grp.h>
#include <poll.h>
#include <pwd.h>
#include <sys/stat.h>

#include "cli/doctor_checks.h"
#include "cli/line_client.h"
#include "common/listen_address.h"
#include "common/milter_wire.h"

namespace ipmit::cli {
namespace {

constexpr common::Duration kPatience{5'000};
constexpr std::size_t kNegotiationBytes = 12;  // version, actions, steps; then the macro lists

struct Person {
  uid_t uid = 0;
  std::vector<gid_t> groups;
};

std::optional<Person> find_person(const std::string& name) {
  const passwd* entry = getpwnam(name.c_str());
  if (entry == nullptr) return std::nullopt;
  Person person;
  person.uid = entry->pw_uid;
  int count = 64;
  person.groups.resize(static_cast<std::size_t>(count));
  if (getgrouplist(name.c_str(), entry->pw_gid, person.groups.data(), &count) < 0) {
    person.groups.resize(static_cast<std::size_t>(count));
    getgrouplist(name.c_str(), entry->pw_gid, person.groups.data(), &count);
  }
  person.groups.resize(static_cast<std::size_t>(std::max(count, 0)));
  return person;
}

// `bit`: 1 to enter a directory, 2 to write.
bool may(const Person& person, const struct stat& file, unsigned bit) {
  if (person.uid == 0) return true;
  unsigned mode = file.st_mode & 7U;
  if (file.st_uid == person.uid)
    mode = (file.st_mode >> 6U) & 7U;
  else if (std::find(person.groups.begin(), person.groups.end(), file.st_gid) !=
           person.groups.end())
    mode = (file.st_mode >> 3U) & 7U;
  return (mode & bit) != 0;
}

std::string group_name(gid_t gid) {
  const group* entry = getgrgid(gid);
  return entry != nullptr ? entry->gr_name : std::to_string(gid);
}

std::string owner_name(uid_t uid) {
  const passwd* entry = getpwuid(uid);
  return entry != nullptr ? entry->pw_name : std::to_string(uid);
}

std::string rights_text(const struct stat& file) {
  std::string digits = "0000";
  for (std::size_t i = 0; i < 4; ++i)
    digits[3 - i] = static_cast<char>('0' + ((file.st_mode >> (3 * i)) & 7U));
  return digits + " " + owner_name(file.st_uid) + ":" + group_name(file.st_gid);
}

// The first directory on the way to `path` that `person` cannot enter.
std::optional<std::string> closed_directory(const Person& person, const std::string& path) {
  std::filesystem::path walked;
  for (const auto& part : std::filesystem::path(path).parent_path()) {
    walked /= part;
    struct stat status {};
    if (stat(walked.c_str(), &status) != 0) return std::nullopt;
    if (!may(person, status, 1)) return walked.string();
  }
  return std::nullopt;
}

std::optional<double> metric(const std::string& endpoint, std::string_view name) {
  const auto reply = http_request(endpoint, "GET", "/metrics", kPatience);
  if (!reply || reply->status != 200) return std::nullopt;
  std::size_t at = 0;
  while (at < reply->body.size()) {
    const auto end = std::min(reply->body.find('\n', at), reply->body.size());
    const std::string_view line(reply->body.data() + at, end - at);
    if (line.substr(0, name.size()) == name && line.size() > name.size() &&
        line[name.size()] == ' ')
      return std::strtod(std::string(line.substr(name.size() + 1)).c_str(), nullptr);
    at = end + 1;
  }
  return std::nullopt;
}

// EHLO, MAIL FROM:<> and away. The last reply; empty: no connection.
std::string say_mail(const std::string& smtp) {
  LineClient client;
  if (!client.connect(smtp, kPatience)) return "";
  std::string reply = client.read_reply(kPatience);
  for (const char* command : {"EHLO ipmit-doctor.invalid", "MAIL FROM:<>"}) {
    if (reply.empty() || reply.front() != '2') return reply;
    if (!client.send_line(command)) return "";
    reply = client.read_reply(kPatience);
  }
  client.send_line("QUIT");
  return reply;
}

}  // namespace

void check_socket_rights(const conf::MilterSettings& settings, const std::string& mail_owner,
                         Findings& findings) {
  const auto address = common::parse_listen_address(settings.socket);
  if (!address || !address->is_unix()) return;
  struct stat status {};
  if (stat(address->path.c_str(), &status) != 0) {
    findings.fail("socket", address->path + ": " + std::strerror(errno),
                  {"systemctl start ipmit-milter"});
    return;
  }
  if (!S_ISSOCK(status.st_mode)) {
    findings.fail("socket", address->path + " is no socket", {"rm " + address->path});
    return;
  }
  const auto person = find_person(mail_owner);
  if (!person) {
    findings.warn("socket", "user \"" + mail_owner + "\" (mail_owner of Postfix) does not exist");
    return;
  }
  if (const auto closed = closed_directory(*person, address->path))
    findings.fail("socket", mail_owner + " cannot enter " + *closed,
                  {"chgrp postfix " + *closed + " && chmod g+x " + *closed});
  else if (!may(*person, status, 2))
    findings.fail(
        "socket",
        mail_owner + " cannot write to " + address->path + " (" + rights_text(status) + ")",
        {"ipmit.yaml: milter: socket_group: " +
         (person->groups.empty() ? mail_owner : group_name(person->groups.front()))});
  else
    findings.ok("socket",
                address->path + " (" + rights_text(status) + ") is open to " + mail_owner);
}

HandshakeResult check_handshake(const conf::MilterSettings& settings, Findings& findings) {
  HandshakeResult result;
  const auto address = common::parse_listen_address(settings.socket);
  if (!address) {
    findings.fail("milter", address.problem());
    return result;
  }
  common::WireClient wire;
  if (!wire.connect(*address, kPatience)) {
    findings.fail("milter", "nobody answers at " + settings.socket,
                  {"systemctl start ipmit-milter; journalctl -u ipmit-milter"});
    return result;
  }
  std::optional<common::WirePacket> answer;
  if (wire.send('O', common::negotiation(common::kPostfixActions, common::kPostfixSteps)))
    answer = wire.receive(kPatience);
  wire.send('Q', {});
  if (!answer || answer->command != 'O') {
    findings.fail("milter", "takes the connection but does not negotiate",
                  {"systemctl restart ipmit-milter; journalctl -u ipmit-milter"});
    return result;
  }
  result.answered = true;
  result.asks_for_macros = answer->data.size() > kNegotiationBytes;
  findings.ok("milter", "negotiates at " + settings.socket +
                            (result.asks_for_macros ? " and asks for its macros" : ""));
  return result;
}

void check_probe(const conf::MilterSettings& settings, const std::string& smtp,
                 Findings& findings) {
  constexpr std::string_view kCounter = "ipmit_milter_messages_started_total";
  if (settings.metrics_listen.empty()) {
    findings.warn("probe",
                  "not sent: without milter.metrics_listen nobody can tell whether the "
                  "milter decided it");
    return;
  }
  const auto before = metric(settings.metrics_listen, kCounter);
  if (!before) {
    findings.fail("probe", "the milter's /metrics does not answer at " + settings.metrics_listen,
                  {"systemctl status ipmit-milter"});
    return;
  }
  const std::string reply = say_mail(smtp);
  if (reply.empty()) {
    findings.fail("probe", "Postfix does not answer at " + smtp,
                  {"postfix status; or name its port with --smtp HOST:PORT"});
    return;
  }
  const auto end = std::chrono::steady_clock::now() + kPatience;
  auto after = metric(settings.metrics_listen, kCounter);
  while (after && *after <= *before && std::chrono::steady_clock::now() < end) {
    poll(nullptr, 0, 50);
    after = metric(settings.metrics_listen, kCounter);
  }
  if (after && *after > *before)
    findings.ok("probe", "a MAIL command at " + smtp + " was decided (" + reply + ")");
  else
    findings.fail("probe",
                  "a MAIL command at " + smtp + " was answered \"" + reply +
                      "\", but the milter never saw it",
                  {"postfix reload; then look for smtpd_milters in the findings above"});
}

}  // namespace ipmit::cli
