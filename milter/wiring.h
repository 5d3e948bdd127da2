// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "common/metrics.h"
#include "common/snapshot.h"
#include "conf/settings.h"
#include "milter/options.h"
#include "milter/rule_feed.h"

namespace ipmit::milter {

// What a milter asks of the settings beyond their ranges: "key: reason", empty when they fit.
std::string milter_problem(const conf::Settings& settings);

// From what the configuration says to what the service takes.
ServiceOptions service_options(const conf::MilterSettings& settings);

// Reads the key file of the trace header and makes one where there is none. PermanentError.
std::shared_ptr<const SessionOptions> session_options(const conf::MilterSettings& settings);

// SIGHUP: takes over everything of the file but what is fixed at start, and loads the rules again.
// A file with mistakes changes nothing, is logged, and shows in ipmit_milter_config_good. Belongs
// to one thread.
class Reloader {
 public:
  using Read = std::function<common::Result<conf::Settings>()>;

  // All references outlive this.
  Reloader(Read read, const conf::Settings& at_start, common::Snapshot<SessionOptions>& options,
           RuleFeed& feed, common::Metrics& metrics);
  void reload();

 private:
  void refuse(const std::string& reason);

  const Read read_;
  const conf::Settings& at_start_;
  common::Snapshot<SessionOptions>& options_;
  RuleFeed& feed_;
  common::Metrics::Counter failures_;
  common::Metrics::Gauge good_;
};

}  // namespace ipmit::milter
