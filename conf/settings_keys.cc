// SPDX-License-Identifier: Apache-2.0
#include "conf/settings_keys.h"

namespace ipmit::conf {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

constexpr auto kReload = TakesEffect::kReload;
constexpr auto kRestart = TakesEffect::kRestart;

using Keys = std::vector<SettingKey>;

void add_top(Keys& keys, Settings& s) {
  keys.push_back(
      {"", "store",
       "The record of mitigations and exemptions: an SQLite file on one host, PostgreSQL "
       "for a fleet.",
       kRestart, text_value(s.store, "URL", url_of({"sqlite:/", "postgresql://"}, false))});
  keys.push_back(
      {"", "cache",
       "Redis that milters and agents of a fleet read instead of the store; empty on one "
       "host.",
       kRestart,
       text_value(s.cache, "URL or empty",
                  url_of({"redis://", "redis+unix://", "redis+sentinel://"}, true))});
  keys.push_back({"", "cache_password_file",
                  "File whose first line is the password for the cache; empty means none.",
                  kRestart,
                  text_value(s.cache_password_file, "path or empty", absolute_path(true))});
}

void add_log(Keys& keys, LogSettings& s) {
  using common::LogLevel;
  keys.push_back({"log", "level", "The lowest level that is written, to standard error.", kReload,
                  choice_value<LogLevel>(s.level, {{"debug", LogLevel::kDebug},
                                                   {"info", LogLevel::kInfo},
                                                   {"warn", LogLevel::kWarn},
                                                   {"error", LogLevel::kError}})});
}

void add_retention(Keys& keys, RetentionSettings& s) {
  using std::chrono::days;
  const auto add = [&](const char* name, const char* help, Duration& value) {
    keys.push_back({"retention", name, help, kRestart, duration_value(value, days(1), days(3650))});
  };
  add("statistics", "Deliveries a day, target and outcome.", s.statistics);
  add("findings", "What the detector found, with its evidence.", s.findings);
  add("audit", "Who changed which mitigation or exemption, when and why.", s.audit);
  add("dead_recipients",
      "Fingerprints of recipients that do not exist, counted from their last bounce.",
      s.dead_recipients);
}

SettingKey metrics_listen(const char* section, const char* help, std::string& value) {
  return {section, "metrics_listen", help, kRestart,
          text_value(value, "HOST:PORT or empty", listen_endpoint())};
}
constexpr const char* kMetricsHelp = "Where /metrics, /livez and /readyz answer; empty: nowhere.";

void add_milter_service(Keys& keys, MilterSettings& s) {
  const auto add = [&](const char* name, const char* help, SettingValue value) {
    keys.push_back({"milter", name, help, kRestart, std::move(value)});
  };
  add("socket", "Where Postfix reaches the milter, in the words of smtpd_milters.",
      text_value(s.socket, "unix:/path, inet:HOST:PORT or inet6:[HOST]:PORT", milter_socket()));
  add("socket_mode", "Rights of a unix socket; Postfix needs to write to it.",
      file_mode_value(s.socket_mode));
  add("socket_group", "Group of a unix socket, such as postfix; empty leaves it as it is.",
      text_value(s.socket_group, "group name or empty", group_name()));
  add("backlog", "Connections that may wait to be taken.", integer_value(s.backlog, 1, 65535));
  add("pid_file", "File that gets the process id; empty means none.",
      text_value(s.pid_file, "path or empty", absolute_path(true)));
  keys.push_back(metrics_listen(
      "milter", "Where /metrics, /livez, /readyz and POST /drain answer; empty: nowhere.",
      s.metrics_listen));
  add("drain_grace", "How long open sessions may go on after SIGTERM or drain.",
      duration_value(s.drain_grace, milliseconds(0), hours(2)));
  add("idle_limit",
      "A session that is silent for longer is closed. Keep it above Postfix's smtpd_timeout: "
      "Postfix takes the close for a failed filter.",
      duration_value(s.idle_limit, seconds(10), hours(24)));
  add("fd_reserve",
      "File descriptors kept free; when only these are left, new sessions wait until some end.",
      integer_value(s.fd_reserve, 16, 10'000));
  add("probe_every", "How often the milter talks to its own socket for /livez; 0s means never.",
      duration_value(s.probe_every, milliseconds(0), minutes(1)));
  add("probe_deadline", "How long such a probe may take before /livez says no.",
      duration_value(s.probe_deadline, milliseconds(50), minutes(1)));
}

void add_milter_rules(Keys& keys, MilterSettings& s) {
  const auto add = [&](const char* name, const char* help, SettingValue value) {
    keys.push_back({"milter", name, help, kRestart, std::move(value)});
  };
  add("snapshot_file",
      "The rules as last seen, so that the milter can start while its store is away; empty means "
      "none.",
      text_value(s.snapshot_file, "path or empty", absolute_path(true)));
  add("snapshot_every", "The snapshot is written at most once in this time.",
      duration_value(s.snapshot_every, milliseconds(100), hours(1)));
  add("start_deadline", "How long a start waits for the store before it takes the snapshot.",
      duration_value(s.start_deadline, milliseconds(0), minutes(5)));
  add("max_staleness", "Rules that could not be confirmed for longer are stale: see fallback.",
      duration_value(s.max_staleness, seconds(2), hours(24 * 31)));
  add("first_retry", "First wait after the store could not be reached; doubles up to most_retry.",
      duration_value(s.first_retry, milliseconds(10), minutes(1)));
  add("most_retry", "Longest wait between two tries to reach the store.",
      duration_value(s.most_retry, milliseconds(100), minutes(10)));
}

void add_fallback(Keys& keys, FallbackSettings& s) {
  const auto when_stale = [](WhenStale& value) {
    return choice_value<WhenStale>(value, {{"enforce", WhenStale::kEnforce},
                                           {"accept", WhenStale::kAccept},
                                           {"tempfail", WhenStale::kTempfail}});
  };
  const auto add = [&](const char* name, const char* help, SettingValue value) {
    keys.push_back({"milter.fallback", name, help, kReload, std::move(value)});
  };
  add("no_rules", "What a message gets while there are no rules at all, not even a snapshot.",
      choice_value<NoRules>(s.no_rules,
                            {{"accept", NoRules::kAccept}, {"tempfail", NoRules::kTempfail}}));
  add("limits", "What a stale Throttle does: limit as before, let pass, or answer 451.",
      when_stale(s.limits));
  add("refusals", "What a stale Defer or Reject does.", when_stale(s.refusals));
  add("routing", "What a stale Quarantine, Reroute or Discard does.", when_stale(s.routing));
}

void add_milter_decisions(Keys& keys, MilterSettings& s) {
  const auto add = [&](const char* name, const char* help, SettingValue value) {
    keys.push_back({"milter", name, help, kReload, std::move(value)});
  };
  add("trace_header",
      "Stamp accepted mail with X-Ipmit-Trace, by which bounces and complaints prove their origin.",
      boolean_value(s.trace_header));
  add("trace_key_file",
      "Keys of the trace header, shared by all hosts of a fleet; made at the first start if there "
      "is none.",
      text_value(s.trace_key_file, "path", absolute_path(false)));
  add("protect_null_sender", "Never refuse mail from the null sender <>: bounces must flow.",
      boolean_value(s.protect_null_sender));
  add("protect_postmaster", "Never refuse a recipient postmaster (RFC 5321 section 4.5.1).",
      boolean_value(s.protect_postmaster));
  add("reentry_ports",
      "Ports on which Postfix takes its own mail back from a content filter; such mail is not "
      "decided a second time.",
      port_list_value(s.reentry_ports));
  add("never_match_networks",
      "Clients in these networks are proxies, pods or this host, not senders: address rules do not "
      "apply to them.",
      network_list_value(s.never_match_networks));
  add("reroute_transports",
      "Transports of master.cf that Reroute may name; a mitigation with another one is refused.",
      text_list_value(s.reroute_transports, "list of transport names", transport_name()));
}

void add_limiter(Keys& keys, LimiterSettings& s) {
  const auto add = [&](const char* name, const char* help, SettingValue value) {
    keys.push_back({"milter.limiter", name, help, kRestart, std::move(value)});
  };
  add("most_keys", "Budgets of throttled targets held in memory, some 150 bytes each.",
      integer_value(s.most_keys, 1000, 100'000'000));
  add("redis_deadline", "How long a throttled message may wait for the shared counters in Redis.",
      duration_value(s.redis_deadline, milliseconds(1), seconds(5)));
  add("breaker_failures",
      "Failures in a row after which Redis is not asked for breaker_pause; one, if it is silent "
      "then.",
      integer_value(s.breaker_failures, 1, 1000));
  add("breaker_pause", "How long the milter counts alone before it asks Redis again.",
      duration_value(s.breaker_pause, milliseconds(10), minutes(10)));
}

}  // namespace

std::vector<SettingKey> setting_keys(Settings& settings) {
  Keys keys;
  add_top(keys, settings);
  add_log(keys, settings.log);
  add_retention(keys, settings.retention);
  add_milter_service(keys, settings.milter);
  add_milter_rules(keys, settings.milter);
  add_milter_decisions(keys, settings.milter);
  add_fallback(keys, settings.milter.fallback);
  add_limiter(keys, settings.milter.limiter);
  keys.push_back(metrics_listen("detector", kMetricsHelp, settings.detector.metrics_listen));
  keys.push_back(metrics_listen("controller", kMetricsHelp, settings.controller.metrics_listen));
  keys.push_back(metrics_listen("agent", kMetricsHelp, settings.agent.metrics_listen));
  return keys;
}

std::vector<std::string> keys_that_need_restart(Settings before, Settings now,
                                                std::string_view section) {
  const Keys old_keys = setting_keys(before);
  const Keys new_keys = setting_keys(now);
  std::vector<std::string> paths;
  for (std::size_t i = 0; i < old_keys.size(); ++i) {
    const SettingKey& key = old_keys[i];
    const std::string_view top = std::string_view(key.section).substr(0, key.section.find('.'));
    if (key.takes_effect != kRestart || (!top.empty() && top != section)) continue;
    if (key.value.to_yaml() != new_keys[i].value.to_yaml()) paths.push_back(key.path());
  }
  return paths;
}

const std::vector<SettingSection>& setting_sections() {
  static const std::vector<SettingSection> sections = {
      {"", "Where the mitigations are."},
      {"log", "What the programs write to standard error."},
      {"retention",
       "How long the record keeps what it learned. The leading controller removes the rest every "
       "hour; on a single host `ipmitctl upkeep` does."},
      {"milter", "ipmit-milter, beside each Postfix."},
      {"milter.fallback", "What happens when the rules are missing or stale."},
      {"milter.limiter", "Counting of throttled mail."},
      {"detector", "ipmit-detector."},
      {"controller", "ipmit-controller."},
      {"agent", "ipmit-agent."},
  };
  return sections;
}

}  // namespace ipmit::conf
