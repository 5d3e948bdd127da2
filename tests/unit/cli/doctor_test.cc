// SPDX-License-Identifier: Apache-2.0
// The doctor's findings on made-up configurations of Postfix.
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "cli/doctor_checks.h"
#include "cli/postfix_config.h"
#include "tests/unit/cli/shell.h"

namespace ipmit::cli {
namespace {

constexpr const char* kQueue = "/none/spool/postfix";
constexpr const char* kFilter =
    "{ unix:ipmit/milter.sock, connect_timeout=2s, command_timeout=5s, content_timeout=10s, "
    "default_action=accept }";

// As docs/postfix.md sets it up.
PostfixConfig good_postfix() {
  PostfixConfig postfix;
  postfix.directory = "/etc/postfix";
  postfix.values = {{"queue_directory", kQueue},    {"smtpd_milters", kFilter},
                    {"non_smtpd_milters", kFilter}, {"milter_header_checks", "regexp:/m"},
                    {"header_checks", "regexp:/h"}, {"nested_header_checks", ""},
                    {"mime_header_checks", ""}};
  postfix.services = {{"smtp", "inet", true, "smtpd", {}},
                      {"submission", "inet", true, "smtpd", {}},
                      {"cleanup", "unix", true, "cleanup", {}},
                      {"127.0.0.1:10026",
                       "inet",
                       true,
                       "smtpd",
                       {{"receive_override_options", "no_milters,no_header_body_checks"}}}};
  postfix.look_up = [](const std::string& table,
                       const std::string& key) -> common::Result<std::optional<std::string>> {
    if (table == "regexp:/gone") return common::Problem{"open /gone: No such file or directory"};
    if (table == "regexp:/h") return std::optional<std::string>("IGNORE");
    if (key.find("Route: slow") != std::string::npos)
      return std::optional<std::string>("FILTER slow:");
    const auto colon = key.find(": ");
    if (key.find("Hold") != std::string::npos)
      return std::optional<std::string>("HOLD " + key.substr(colon + 2));
    return std::optional<std::string>("DISCARD " + key.substr(colon + 2));
  };
  return postfix;
}

conf::MilterSettings good_settings() {
  conf::MilterSettings settings;
  settings.socket = std::string("unix:") + kQueue + "/ipmit/milter.sock";
  settings.reentry_ports = {10026};
  return settings;
}

std::vector<Finding> examine(const PostfixConfig& postfix, const conf::MilterSettings& settings) {
  Findings findings;
  check_postfix_filters(postfix, settings, findings);
  check_header_tables(postfix, findings);
  check_reentry(postfix, settings, findings);
  return findings.all();
}

std::string bad_ones(const std::vector<Finding>& findings) {
  std::string out;
  for (const Finding& finding : findings) {
    if (finding.level == Finding::Level::kOk) continue;
    out += finding.level == Finding::Level::kFail ? "FAIL " : "WARN ";
    out += finding.check + ": " + finding.text + "\n";
  }
  return out;
}

TEST(Doctor, HasNothingToSayAboutWhatTheManualSetsUp) {
  EXPECT_EQ(bad_ones(examine(good_postfix(), good_settings())), "");
}

TEST(Doctor, FindsEachTrap) {
  using Change = void (*)(PostfixConfig&, conf::MilterSettings&);
  const struct {
    const char* name;
    Change change;
    const char* want;
  } rows[] = {
      {"no filter", [](auto& p, auto&) { p.values["smtpd_milters"] = ""; },
       "FAIL smtpd_milters: smtp/inet (chrooted) asks no filter, not "
       "unix:/none/spool/postfix/ipmit/milter.sock: its mail is not decided\n"
       "FAIL smtpd_milters: submission/inet (chrooted) asks no filter, not "
       "unix:/none/spool/postfix/ipmit/milter.sock: its mail is not decided\n"},
      {"one service without", [](auto& p, auto&) { p.services[1].overrides["smtpd_milters"] = ""; },
       "FAIL smtpd_milters: submission/inet (chrooted) asks no filter, not "
       "unix:/none/spool/postfix/ipmit/milter.sock: its mail is not decided\n"},
      {"no filter for local mail", [](auto& p, auto&) { p.values["non_smtpd_milters"] = ""; },
       "WARN non_smtpd_milters: mail from sendmail(1) on this host is not decided\n"},
      {"an absolute path in a chroot",
       [](auto& p, auto&) {
         p.values["smtpd_milters"] =
             "{ unix:/none/spool/postfix/ipmit/milter.sock, connect_timeout=2s, "
             "command_timeout=5s, content_timeout=10s, default_action=accept }";
         p.services.erase(p.services.begin() + 1);
       },
       "FAIL smtpd_milters: smtp/inet (chrooted) looks for "
       "/none/spool/postfix/none/spool/postfix/ipmit/milter.sock, the milter listens on "
       "unix:/none/spool/postfix/ipmit/milter.sock\n"},
      {"a socket outside the chroot",
       [](auto& p, auto& s) {
         s.socket = "unix:/none/run/milter.sock";
         for (auto& service : p.services) service.chroot = service.name == "cleanup";
         for (const char* name : {"smtpd_milters", "non_smtpd_milters"})
           p.values[name] =
               "{ unix:/none/run/milter.sock, connect_timeout=2s, command_timeout=5s, "
               "content_timeout=10s, default_action=accept }";
       },
       "FAIL socket: cleanup/unix is chrooted to /none/spool/postfix and cannot see "
       "/none/run/milter.sock\n"
       "FAIL non_smtpd_milters: cleanup/unix (chrooted) looks for "
       "/none/spool/postfix/none/run/milter.sock, the milter listens on "
       "unix:/none/run/milter.sock\n"},
      {"no timeouts and no default action",
       [](auto& p, auto&) { p.values["smtpd_milters"] = "unix:ipmit/milter.sock"; },
       "WARN smtpd_milters: no connect_timeout, command_timeout, content_timeout for "
       "unix:ipmit/milter.sock: a hung filter costs each client 30 s to 300 s\n"
       "WARN smtpd_milters: no default_action for unix:ipmit/milter.sock: what happens without the "
       "filter depends on milter_default_action and the version of Postfix\n"},
      {"an unknown option",
       [](auto& p, auto&) { p.values["smtpd_milters"] = "{ unix:ipmit/milter.sock, timeout=2s }"; },
       "FAIL smtpd_milters: option \"timeout\" of unix:ipmit/milter.sock is unknown to Postfix: "
       "smtpd stops at every connection\n"},
      {"an unknown default action",
       [](auto& p, auto&) {
         p.values["non_smtpd_milters"] =
             "{ unix:ipmit/milter.sock, connect_timeout=2s, command_timeout=5s, "
             "content_timeout=10s, default_action=ignore }";
       },
       "FAIL non_smtpd_milters: default_action \"ignore\" is unknown to Postfix: it answers 451 "
       "4.3.5 to everything\n"},
      {"no table for the actions", [](auto& p, auto&) { p.values["milter_header_checks"] = ""; },
       "FAIL milter_header_checks: Reroute will not act: X-Ipmit-Route: slow gives nothing, wanted "
       "is \"FILTER slow:\"\n"
       "FAIL milter_header_checks: Quarantine will not act: X-Ipmit-Hold: ipmit doctor gives "
       "nothing, wanted is \"HOLD ipmit doctor\"\n"
       "FAIL milter_header_checks: Discard will not act: X-Ipmit-Discard: ipmit doctor gives "
       "nothing, wanted is \"DISCARD ipmit doctor\"\n"},
      {"forged headers stay", [](auto& p, auto&) { p.values["header_checks"] = ""; },
       "FAIL header_checks: X-Ipmit- headers that a client sends stay in the mail\n"},
      {"a table that is gone",
       [](auto& p, auto&) { p.values["header_checks"] = "regexp:/gone, regexp:/h"; },
       "FAIL header_checks: table regexp:/gone cannot be read: open /gone: No such file or "
       "directory\n"
       "FAIL header_checks: X-Ipmit- headers that a client sends stay in the mail\n"},
      {"trace headers of returned mail go",
       [](auto& p, auto&) { p.values["nested_header_checks"] = "regexp:/h"; },
       "FAIL nested_header_checks: takes the trace header out of mail inside a DSN or a complaint "
       "(it defaults to $header_checks)\n"},
      {"a re-entry port that loses the trace",
       [](auto& p, auto&) { p.services[3].overrides["receive_override_options"] = "no_milters"; },
       "WARN re-entry port: port 10026 takes the trace header out of mail that comes back\n"},
      {"a re-entry port nobody has", [](auto&, auto& s) { s.reentry_ports = {10099}; },
       "WARN re-entry port: ipmit.yaml names port 10099, but master.cf has no smtpd there\n"},
      {"a content filter and no re-entry port",
       [](auto& p, auto& s) {
         p.values["content_filter"] = "scan:[127.0.0.1]:10025";
         s.reentry_ports.clear();
       },
       "WARN re-entry port: Postfix has a content filter, but ipmit.yaml names no port on which "
       "its "
       "mail comes back\n"},
  };
  for (const auto& row : rows) {
    PostfixConfig postfix = good_postfix();
    conf::MilterSettings settings = good_settings();
    row.change(postfix, settings);
    EXPECT_EQ(bad_ones(examine(postfix, settings)), row.want) << row.name;
  }
}

TEST(Doctor, AReentryPortThatAsksFiltersIsALoop) {
  PostfixConfig postfix = good_postfix();
  postfix.services[3].overrides.clear();
  Findings findings;
  check_reentry(postfix, good_settings(), findings);
  EXPECT_EQ(bad_ones(findings.all()),
            "FAIL re-entry port: port 10026 asks the filters again: mail is counted twice, and a "
            "Reroute that comes back here loops\n");
}

TEST(Doctor, KnowsTcpSockets) {
  PostfixConfig postfix = good_postfix();
  conf::MilterSettings settings = good_settings();
  settings.socket = "inet:127.0.0.1:8891";
  for (const char* endpoint : {"inet:127.0.0.1:8891", "inet:localhost:8891"}) {
    for (const char* name : {"smtpd_milters", "non_smtpd_milters"})
      postfix.values[name] = "{ " + std::string(endpoint) +
                             ", connect_timeout=2s, command_timeout=5s, content_timeout=10s, "
                             "default_action=tempfail }";
    EXPECT_EQ(bad_ones(examine(postfix, settings)), "") << endpoint;
  }
  settings.socket = "inet:127.0.0.1:8892";
  EXPECT_NE(bad_ones(examine(postfix, settings)), "");
}

TEST(Doctor, TellsWhichMacroIsDropped) {
  PostfixConfig postfix = good_postfix();
  postfix.values["milter_connect_macros"] = "j {daemon_name} {daemon_port}";
  postfix.values["milter_mail_macros"] = "i {auth_authen}";
  postfix.values["milter_rcpt_macros"] = "{i} {rcpt_addr}";
  postfix.values["milter_end_of_data_macros"] = "i";
  Findings good;
  check_macro_lists(postfix, good);
  EXPECT_EQ(bad_ones(good.all()), "");
  postfix.values["milter_mail_macros"] = "i";
  Findings bad;
  check_macro_lists(postfix, bad);
  EXPECT_EQ(bad_ones(bad.all()),
            "WARN milter_mail_macros: {auth_authen} is not in it: rules for SASL users never "
            "match\n");
  EXPECT_EQ(bad.all()[0].remedy[0], "main.cf: milter_mail_macros = i {auth_authen}");
}

TEST(Doctor, LooksAtTheSocketWithThePostfixUsersEyes) {
  Shell shell;  // for its directory
  conf::MilterSettings settings;
  settings.socket = "unix:" + shell.path("m.sock");
  Findings missing;
  check_socket_rights(settings, "nobody", missing);
  EXPECT_EQ(bad_ones(missing.all()),
            "FAIL socket: " + shell.path("m.sock") + ": No such file or directory\n");
  shell.write("m.sock", "");
  Findings plain;
  check_socket_rights(settings, "nobody", plain);
  EXPECT_EQ(bad_ones(plain.all()), "FAIL socket: " + shell.path("m.sock") + " is no socket\n");
}

TEST(Doctor, WithoutMilterAndPostfixFailsAndSaysWhatToDo) {
  Shell shell;
  shell.write("ipmit.yaml", "store: sqlite:" + shell.path("ipmit.db") +
                                "\nmilter:\n  socket: unix:" + shell.path("m.sock") + "\n");
  shell.store();
  const auto result = shell.run({"doctor", "--no-postfix"});
  EXPECT_EQ(result.code, kFailed);
  EXPECT_EQ(result.out, "OK    settings: " + shell.path("ipmit.yaml") +
                            "\nOK    store: sqlite:" + shell.path("ipmit.db") +
                            ", revision 0, 0 mitigations\nFAIL  milter: nobody answers at unix:" +
                            shell.path("m.sock") +
                            "\n        systemctl start ipmit-milter; journalctl -u ipmit-milter\n"
                            "1 failed, 0 warnings\n");
  const auto none = shell.run({"doctor", "-c", "/none", "--no-probe"});
  EXPECT_NE(none.out.find("FAIL  postfix: "), std::string::npos) << none.out;
}

TEST(PostfixConfig, ReadsFiltersAsPostfixWritesThem) {
  const auto specs = parse_milters(
      "unix:a/b, { inet:127.0.0.1:1 , command_timeout=5s,{ default_action = accept } } inet:c:2");
  ASSERT_EQ(specs.size(), 3U);
  EXPECT_EQ(specs[0].endpoint, "unix:a/b");
  EXPECT_EQ(specs[1].endpoint, "inet:127.0.0.1:1");
  EXPECT_EQ(specs[1].options.at("command_timeout"), "5s");
  EXPECT_EQ(specs[1].options.at("default_action"), "accept");
  EXPECT_EQ(specs[2].endpoint, "inet:c:2");
  EXPECT_TRUE(parse_milters("").empty());
}

TEST(PostfixConfig, ReadsServicesAndTheirOptions) {
  const auto services = parse_services(
      "smtp       inet  n       -       y       -       -       smtpd\n"
      "127.0.0.1:10026 inet n - - - - smtpd -o a=b\n",
      "127.0.0.1:10026/inet/receive_override_options = no_milters\n"
      "smtp/inet/smtpd_milters = { unix:a, command_timeout=1s }\n",
      false);
  ASSERT_EQ(services.size(), 2U);
  EXPECT_TRUE(services[0].chroot);
  EXPECT_FALSE(services[1].chroot);
  EXPECT_EQ(services[0].overrides.at("smtpd_milters"), "{ unix:a, command_timeout=1s }");
  EXPECT_EQ(services[1].overrides.at("receive_override_options"), "no_milters");
  PostfixConfig postfix;
  postfix.services = services;
  EXPECT_EQ(smtp_endpoint(postfix), "127.0.0.1:25");
  postfix.services.erase(postfix.services.begin());
  EXPECT_EQ(smtp_endpoint(postfix), "") << "the re-entry port asks no filter";
}

}  // namespace
}  // namespace ipmit::cli
