// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <string>

#include "common/metrics.h"
#include "conf/settings.h"

namespace ipmit::controller {

// What a controller asks of the settings beyond their ranges: "key: reason", empty when they fit.
std::string controller_problem(const conf::Settings& settings);

// SIGHUP: takes over what may change without a restart and says what may not. A file with mistakes
// changes nothing, is logged and shows in ipmit_controller_config_good. Password files need no
// SIGHUP: they are read at each connect. One thread.
class Reloader {
 public:
  using Read = std::function<common::Result<conf::Settings>()>;

  // Both references outlive this.
  Reloader(Read read, const conf::Settings& at_start, common::Metrics& metrics);
  void reload();

 private:
  void refuse(const std::string& reason);

  const Read read_;
  const conf::Settings& at_start_;
  common::Metrics::Counter failures_;
  common::Metrics::Gauge good_;
};

}  // namespace ipmit::controller
