// SPDX-License-Identifier: Apache-2.0
#include "k8s/controller/reloader.h"

#include <utility>

#include "common/log.h"
#include "conf/settings_keys.h"
#include "schema/redis_url.h"

namespace ipmit::controller {
namespace {

using common::log_event;
using common::LogLevel;

}  // namespace

std::string controller_problem(const conf::Settings& settings) {
  if (!settings.store.starts_with("postgresql://"))
    return "store: the controller needs postgresql://…; with SQLite the milter reads the store "
           "itself and no controller is needed";
  if (settings.cache.empty()) return "cache: the controller needs redis://… to write to";
  const auto url = schema::parse_redis_url(settings.cache);
  return url ? "" : "cache: " + url.problem();
}

Reloader::Reloader(Read read, const conf::Settings& at_start, common::Metrics& metrics)
    : read_(std::move(read)),
      at_start_(at_start),
      failures_(metrics.counter("ipmit_controller_reload_failures_total",
                                "Times SIGHUP found a configuration it had to refuse.")),
      good_(metrics.gauge("ipmit_controller_config_good",
                          "1: the configuration in force is the one of the file.")) {
  good_.set(1);
}

void Reloader::reload() {
  const common::Result<conf::Settings> settings = read_();
  if (!settings) return refuse(settings.problem());
  if (const std::string problem = controller_problem(*settings); !problem.empty())
    return refuse(problem);
  common::set_log_level(settings->log.level);
  good_.set(1);
  std::string restart;
  for (const std::string& key : conf::keys_that_need_restart(at_start_, *settings, "controller"))
    restart += (restart.empty() ? "" : ",") + key;
  log_event(LogLevel::kInfo, "config_reloaded",
            {{"restart_needed", restart.empty() ? "no" : "yes"}, {"restart_keys", restart}});
}

void Reloader::refuse(const std::string& reason) {
  failures_.add();
  good_.set(0);
  log_event(LogLevel::kError, "config_refused", {{"reason", reason}});
}

}  // namespace ipmit::controller
