// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "common/clock.h"
#include "common/error.h"
#include "common/log.h"
#include "policy/ip_address.h"

namespace ipmit::conf {

using common::Duration;

// What /etc/ipmit/ipmit.yaml says, one struct a program. Every default here is a working single
// host; docs/settings.md, conf/ipmit.yaml and ipmit.yaml(5) are made from the same table
// (settings_keys.cc), which also holds the ranges and the text for people.

inline constexpr const char* kDefaultSettingsPath = "/etc/ipmit/ipmit.yaml";

// What a message gets while the milter has no rules at all.
enum class NoRules : std::uint8_t { kAccept, kTempfail };
// What a rule that matches does while the rules are older than max_staleness.
enum class WhenStale : std::uint8_t { kEnforce, kAccept, kTempfail };

struct LogSettings {
  common::LogLevel level = common::LogLevel::kInfo;
};

struct FallbackSettings {
  NoRules no_rules = NoRules::kAccept;
  WhenStale limits = WhenStale::kEnforce;    // Throttle
  WhenStale refusals = WhenStale::kEnforce;  // Defer, Reject
  WhenStale routing = WhenStale::kEnforce;   // Quarantine, Reroute, Discard
};

struct LimiterSettings {
  std::uint32_t most_keys = 1'000'000;  // budgets in memory
  Duration redis_deadline{20};
  std::uint32_t breaker_failures = 5;  // failed round trips in a row that open the breaker
  Duration breaker_pause{1'000};       // until one is tried again
};

struct MilterSettings {
  std::string socket = "unix:/run/ipmit/milter.sock";
  std::uint32_t socket_mode = 0660;
  std::string socket_group;  // empty: left as it is
  std::uint32_t backlog = 1024;
  std::string pid_file;                           // empty: none
  std::string metrics_listen = "127.0.0.1:9471";  // empty: none

  Duration drain_grace{60'000};
  Duration idle_limit{7'210'000};
  std::uint32_t fd_reserve = 64;
  Duration probe_every{1'000};
  Duration probe_deadline{2'000};

  std::string snapshot_file = "/var/lib/ipmit/milter.rules";  // empty: none
  Duration start_deadline{2'000};
  Duration max_staleness{60'000};
  Duration snapshot_every{5'000};
  Duration first_retry{100};
  Duration most_retry{2'000};
  FallbackSettings fallback;

  bool trace_header = true;
  std::string trace_key_file = "/var/lib/ipmit/trace.keys";

  bool protect_null_sender = true;
  bool protect_postmaster = true;
  std::vector<std::uint16_t> reentry_ports;
  std::vector<policy::IpPrefix> never_match_networks = loopback_networks();
  std::vector<std::string> reroute_transports;  // empty: no Reroute

  LimiterSettings limiter;

  static std::vector<policy::IpPrefix> loopback_networks();
};

// How long the record keeps what is learned.
struct RetentionSettings {
  Duration statistics = std::chrono::days(90);
  Duration findings = std::chrono::days(90);
  Duration audit = std::chrono::days(400);
  Duration dead_recipients = std::chrono::days(180);
};

struct DetectorSettings {
  std::string metrics_listen = "127.0.0.1:9472";
};
struct ControllerSettings {
  std::string metrics_listen = "127.0.0.1:9473";
};
struct AgentSettings {
  std::string metrics_listen = "127.0.0.1:9474";
};

struct Settings {
  std::string store = "sqlite:/var/lib/ipmit/ipmit.db";
  std::string cache;                // "redis://…"; empty: none, the milter reads the store
  std::string cache_password_file;  // empty: no password
  LogSettings log;
  RetentionSettings retention;
  MilterSettings milter;
  DetectorSettings detector;
  ControllerSettings controller;
  AgentSettings agent;

  std::string file;  // where they were read from; empty: built-in defaults
};

// Without `given`: kDefaultSettingsPath, or the defaults if there is no such file. With it the file
// must exist. Problem: every mistake of the file, a line each, "FILE:LINE: key.path: reason"; a
// program prints it and exits 2. Blocks on the disk. Changes nothing.
common::Result<Settings> load_settings(const std::optional<std::filesystem::path>& given);

// The same from a text; `name` stands for FILE.
common::Result<Settings> parse_settings(std::string_view text, const std::string& name);

}  // namespace ipmit::conf
