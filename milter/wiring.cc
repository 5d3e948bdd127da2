// SPDX-License-Identifier: Apache-2.0
#include "milter/wiring.h"

#include <exception>
#include <filesystem>
#include <utility>

#include "common/log.h"
#include "conf/settings_keys.h"
#include "schema/redis_url.h"

namespace ipmit::milter {
namespace {

std::shared_ptr<const common::SecretBox> load_trace_box(const conf::MilterSettings& settings) {
  if (!settings.trace_header) return nullptr;
  if (!std::filesystem::exists(settings.trace_key_file)) {
    common::KeyRing::create_file(settings.trace_key_file);
  }
  return std::make_shared<common::SecretBox>(common::KeyRing::load(settings.trace_key_file));
}

}  // namespace

std::string milter_problem(const conf::Settings& settings) {
  if (settings.cache.empty())
    return settings.store.starts_with("postgresql:")
               ? "cache: must be set with a postgresql: store; milters read Redis"
               : "";
  const auto url = schema::parse_redis_url(settings.cache);
  return url ? "" : "cache: " + url.problem();
}

ServiceOptions service_options(const conf::MilterSettings& settings) {
  ServiceOptions options;
  options.listen = settings.socket;
  options.socket_mode = settings.socket_mode;
  options.socket_group = settings.socket_group;
  options.backlog = static_cast<int>(settings.backlog);
  options.pid_file = settings.pid_file;
  options.http_listen = settings.metrics_listen;
  options.drain_grace = settings.drain_grace;
  options.idle_limit = settings.idle_limit;
  options.fd_reserve = settings.fd_reserve;
  options.probe_every = settings.probe_every;
  options.probe_deadline = settings.probe_deadline;
  return options;
}

std::shared_ptr<const SessionOptions> session_options(const conf::MilterSettings& settings) {
  auto options = std::make_shared<SessionOptions>();
  options->decide = {.protect_null_sender = settings.protect_null_sender,
                     .protect_postmaster = settings.protect_postmaster};
  options->fallback = settings.fallback;
  options->never_match_networks = settings.never_match_networks;
  options->reentry_ports = settings.reentry_ports;
  options->reroute_transports = settings.reroute_transports;
  options->trace_box = load_trace_box(settings);
  return options;
}

Reloader::Reloader(Read read, const conf::Settings& at_start,
                   common::Snapshot<SessionOptions>& options, RuleFeed& feed,
                   common::Metrics& metrics)
    : read_(std::move(read)),
      at_start_(at_start),
      options_(options),
      feed_(feed),
      failures_(metrics.counter("ipmit_milter_reload_failures_total",
                                "Times SIGHUP found a configuration it had to refuse.")),
      good_(metrics.gauge("ipmit_milter_config_good",
                          "1: the configuration in force is the one of the file.")) {
  good_.set(1);
}

void Reloader::reload() {
  feed_.reload();
  try {
    const common::Result<conf::Settings> settings = read_();
    if (!settings) return refuse(settings.problem());
    options_.publish(session_options(settings->milter));
    common::set_log_level(settings->log.level);
    good_.set(1);
    std::string restart;
    for (const std::string& key : conf::keys_that_need_restart(at_start_, *settings, "milter"))
      restart += (restart.empty() ? "" : ",") + key;
    common::log_event(
        common::LogLevel::kInfo, "config_reloaded",
        {{"restart_needed", restart.empty() ? "no" : "yes"}, {"restart_keys", restart}});
  } catch (const std::exception& error) {
    refuse(error.what());
  }
}

void Reloader::refuse(const std::string& reason) {
  failures_.add();
  good_.set(0);
  common::log_event(common::LogLevel::kError, "config_refused", {{"reason", reason}});
}

}  // namespace ipmit::milter
